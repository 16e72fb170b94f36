#include "builder/packages/layer_comparison.hpp"

#include <doctest/doctest.h>

using namespace kiln;

namespace {

// An image of layers that are told by packages and files (path to content); a layer is known by all of that.
struct Side {
  using Files = std::map<std::string, std::string>;

  void add(const std::vector<std::string>& names, const Files& files, UnixSeconds mtime = 0,
           const std::string& line = "") {
    FileIndex::Parts parts;
    std::string all;
    for (const auto& [path, text] : files) {
      FileEntry entry;
      entry.path = path;
      entry.mode = 0644;
      entry.size = text.size();
      entry.content = oci::sha256_of(text);
      entry.mtime = mtime;
      parts.entries.push_back(std::move(entry));
      all += path + text + std::to_string(mtime);
    }
    parts.diff_id = oci::sha256_of(all);
    for (const std::string& name : names) {
      Package package;
      package.stated.ecosystem = Ecosystem::pypi;
      package.stated.name = name;
      package.stated.version = "1";
      package.layer = packages.layers.size();
      packages.packages.push_back(std::move(package));
    }
    PackageLayer layer;
    layer.diff_id = parts.diff_id;
    layer.blob.size = 100;
    layer.created_by = line;
    packages.layers.push_back(std::move(layer));
    view = view.with_layer(std::make_shared<const FileIndex>(std::move(parts)));
  }

  ImagePackages packages;
  MergedView view;
};

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("what two images share is told, and of what they do not share the files that differ") {
  Side a, b;
  a.add({}, {{"base", "a"}});
  a.add({"torch"}, {{"torch/x.py", "x"}});
  a.add({"idna", "six"}, {{"idna.py", "i"}, {"idna.record", "1"}, {"six.py", "s"}});
  a.add({}, {{"rest", "1"}});
  b.add({}, {{"base", "b"}});
  b.add({"torch"}, {{"torch/x.py", "x"}});
  b.add({"idna", "yarl"}, {{"idna.py", "i"}, {"idna.record", "2"}, {"idna.requested", ""}});
  const LayerComparison comparison = compare_layers({a.packages, a.view}, {b.packages, b.view});
  CHECK(comparison.same_layers == 1);
  CHECK(comparison.same_bytes == 100);
  CHECK(comparison.only_before == std::vector<std::size_t>{0, 3});
  CHECK(comparison.only_after == std::vector<std::size_t>{0});
  REQUIRE(comparison.differences.size() == 1);
  const LayerDifference& pool = comparison.differences[0];
  CHECK(pool.before == 2);
  CHECK(pool.after == 2);
  CHECK(pool.packages == Strings{"idna 1"});
  CHECK(pool.only_before == Strings{"six 1"});
  CHECK(pool.only_after == Strings{"yarl 1"});
  Strings entries;
  for (const EntryDifference& entry : pool.entries) entries.push_back(entry.path + ": " + to_string(entry));
  CHECK(entries == Strings{"idna.record: content", "idna.requested: only in the second", "six.py: only in the first"});
}

TEST_CASE("layers that differ in times alone are told as such") {
  Side a, b;
  a.add({"torch"}, {{"x.py", "x"}}, 1);
  b.add({"torch"}, {{"x.py", "x"}}, 2);
  const LayerComparison comparison = compare_layers({a.packages, a.view}, {b.packages, b.view});
  REQUIRE(comparison.differences.size() == 1);
  REQUIRE(comparison.differences[0].entries.size() == 1);
  CHECK(to_string(comparison.differences[0].entries[0]) == "time");
  CHECK(compare_layers({a.packages, a.view}, {a.packages, a.view}).differences.empty());
}

TEST_CASE("layers are the same but for times where nothing else differs, Python's bytecode apart") {
  const auto layer = [](const std::map<std::string, std::string>& files, UnixSeconds mtime) {
    Side side;
    side.add({}, files, mtime);
    return side.view.layers()[0];
  };
  const auto before = layer({{"x.py", "x"}, {"__pycache__/x.cpython-311.pyc", "1"}}, 1);
  CHECK(is_same_but_for_times(*before, *layer({{"x.py", "x"}, {"__pycache__/x.cpython-311.pyc", "2"}}, 2)));
  CHECK_FALSE(is_same_but_for_times(*before, *layer({{"x.py", "y"}, {"__pycache__/x.cpython-311.pyc", "1"}}, 1)));
  CHECK_FALSE(is_same_but_for_times(*before, *layer({{"x.py", "x"}}, 1)));
}

TEST_CASE("layers of no package are compared where the same line made them") {
  Side a, b;
  a.add({}, {{"own", "1"}}, 0, "RUN x # the rest");
  a.add({}, {{"other", "1"}}, 0, "RUN y");
  b.add({}, {{"other", "2"}}, 0, "RUN z");
  b.add({}, {{"own", "2"}}, 0, "RUN x # the rest");
  const LayerComparison comparison = compare_layers({a.packages, a.view}, {b.packages, b.view});
  REQUIRE(comparison.differences.size() == 1);
  CHECK(comparison.differences[0].before == 0);
  CHECK(comparison.differences[0].after == 1);
  CHECK(comparison.differences[0].packages.empty());
  REQUIRE(comparison.differences[0].entries.size() == 1);
  CHECK(comparison.differences[0].entries[0].path == "own");
  CHECK(comparison.only_before == std::vector<std::size_t>{1});
  CHECK(comparison.only_after == std::vector<std::size_t>{0});
}

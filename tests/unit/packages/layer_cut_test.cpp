#include "builder/packages/layer_cut.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

using namespace kiln;

namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
const std::string kModules = "usr/lib/python3.11/site-packages/";

// What a step wrote, and what lies below it.
class StepTree {
 public:
  FileEntry& add(const std::string& path, EntryType type = EntryType::file, std::uint64_t size = 0) {
    add_parents(path);
    FileEntry entry;
    entry.path = path;
    entry.type = type;
    entry.size = size;
    if (type == EntryType::directory) entry.mode = mode_of(path);
    if (type == EntryType::file || type == EntryType::fifo) entry.mode = 0644;
    return entries_[path] = entry;
  }
  void add_text(const std::string& path, const std::string& text) {
    add(path, EntryType::file, text.size());
    texts_[path] = text;
  }
  void add_link(const std::string& path, EntryType type, const std::string& target) { add(path, type).link = target; }
  void make_opaque(const std::string& folder) {
    add(folder, EntryType::directory);
    opaque_.insert(folder);
  }
  bool has(const std::string& path) const { return entries_.count(path) > 0; }

  // A distribution with files of these sizes, in its own folder.
  void add_python(const std::string& name, const std::string& version, const std::vector<std::uint64_t>& sizes,
                  const std::string& more_of_record = "") {
    std::string record = more_of_record;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const std::string file = fmt::format("{}/f{}.py", name, i);
      add(kModules + file, EntryType::file, sizes[i]);
      record += file + ",,\n";
    }
    const std::string info = kModules + name + "-" + version + ".dist-info/";
    add_text(info + "METADATA", "Name: " + name + "\nVersion: " + version + "\n");
    add_text(info + "RECORD", record);
  }

  // In entry order.
  std::vector<FileEntry> diff() const {
    std::vector<FileEntry> all;
    for (const auto& [path, entry] : entries_) all.push_back(entry);
    for (const std::string& folder : opaque_) {
      FileEntry mark;
      mark.path = folder;
      mark.type = EntryType::opaque;
      all.push_back(mark);
    }
    std::sort(all.begin(), all.end(), entry_before);
    return all;
  }
  static std::shared_ptr<const FileIndex> index_of(std::vector<FileEntry> entries) {
    FileIndex::Parts parts;
    parts.diff_id = oci::sha256_of({});
    for (FileEntry& entry : entries) {
      if (entry.type == EntryType::file) entry.content = parts.diff_id;
    }
    parts.entries = std::move(entries);
    return std::make_shared<const FileIndex>(std::move(parts));
  }
  DiffPackages packages(const std::vector<FileEntry>& below = {}) const {
    return packages_of_diff(diff(), MergedView({index_of(below)}),
                            [&](const std::string& path) -> std::optional<std::string> {
                              const auto text = texts_.find(path);
                              return text == texts_.end() ? std::nullopt : std::optional(text->second);
                            });
  }

 private:
  // The same in every tree, as the folders of distributions are.
  static std::uint16_t mode_of(const std::string& path) { return path.size() % 3 == 0 ? 0755 : 0750; }
  void add_parents(const std::string& path) {
    for (std::string folder(parent_path(path)); !folder.empty(); folder = parent_path(folder)) {
      if (!has(folder)) add(folder, EntryType::directory);
    }
  }

  std::map<std::string, FileEntry> entries_;
  std::map<std::string, std::string> texts_;
  std::set<std::string> opaque_;
};

struct Cut {
  std::vector<FileEntry> diff;
  LayerCut cut;

  std::vector<std::string> contents() const {
    std::vector<std::string> list;
    for (const LayerPart& part : cut.parts) list.push_back(part.contents);
    return list;
  }
  std::vector<FileEntry> entries(const LayerPart& part) const {
    std::vector<FileEntry> list;
    for (const std::size_t i : part.entries) list.push_back(diff.at(i));
    return list;
  }
  // Paths of what is no folder.
  std::vector<std::string> files(std::size_t part) const {
    std::vector<std::string> list;
    for (const FileEntry& entry : entries(cut.parts.at(part))) {
      if (!entry.is_directory()) list.push_back(entry.path);
    }
    return list;
  }
};

Cut cut(const StepTree& tree, const CutRules& rules = {}, const std::vector<FileEntry>& below = {}) {
  Cut result{tree.diff(), {}};
  result.cut = cut_layers(result.diff, tree.packages(below), rules);
  return result;
}

using Names = std::vector<std::string>;

// Two names of distributions that are in one pool, and one of another.
std::array<std::string, 3> names_by_pool() {
  const auto pool = [](const std::string& name) { return pool_of({Ecosystem::pypi, name, "1", "", "", "", ""}); };
  std::array<std::string, 3> names = {"a0", "", ""};
  for (int i = 1; names[1].empty() || names[2].empty(); ++i) {
    const std::string name = fmt::format("a{}", i);
    names[pool(name) == pool("a0") ? 1 : 2] = name;
  }
  return names;
}

Names names_of_pool_0(std::size_t count) {
  Names names;
  for (int i = 0; names.size() < count; ++i) {
    const std::string name = fmt::format("n{:03}", i);
    if (pool_of({Ecosystem::pypi, name, "1", "", "", "", ""}) == 0) names.push_back(name);
  }
  return names;
}

}  // namespace

TEST_CASE("a step that installed nothing is one layer, whatever it wrote") {
  StepTree tree;
  CHECK(cut(tree).cut.parts == std::vector<LayerPart>{{"", {}}});
  tree.add("etc/x");
  tree.add("etc/gone", EntryType::whiteout);
  tree.make_opaque("srv/new");
  const Cut one = cut(tree);
  REQUIRE(one.cut.parts.size() == 1);
  CHECK(one.cut.parts[0].contents.empty());
  CHECK(one.entries(one.cut.parts[0]) == one.diff);
}

TEST_CASE("removed files come first, then large packages by size, then pools, and the rest comes last") {
  StepTree tree;
  tree.add_python("middle", "1", {9 * kMiB});
  tree.add_python("torch", "2.3.1", {600 * kMiB, 1});
  tree.add_python("zlarge", "3", {90 * kMiB});
  tree.add_python("alarge", "3", {100 * kMiB});  // of the same size, by powers of two
  tree.add_python("small", "1", {100});
  tree.add("etc/own");
  tree.add("etc/old", EntryType::whiteout);
  const Cut made = cut(tree);
  CHECK(made.contents() ==
        Names{"removed files", "torch 2.3.1", "alarge 3", "zlarge 3", "middle 1", "small 1", "the rest"});
  CHECK(made.cut.own_layer_bytes == kOwnLayerBytes);
  CHECK(made.files(0) == Names{"etc/old"});
  CHECK(made.files(1) == Names{kModules + "torch/f0.py", kModules + "torch/f1.py",
                               kModules + "torch-2.3.1.dist-info/METADATA", kModules + "torch-2.3.1.dist-info/RECORD"});
  CHECK(made.files(6) == Names{"etc/own"});
}

TEST_CASE("every layer has the folders above its entries, and a folder with nothing in it is of the rest") {
  StepTree tree;
  tree.add_python("torch", "1", {9 * kMiB});
  tree.make_opaque("var/replaced");
  tree.add("var/lone/below", EntryType::directory);
  const Cut made = cut(tree);
  REQUIRE(made.contents() == Names{"removed files", "torch 1", "the rest"});
  const auto paths = [&](std::size_t part) {
    Names list;
    for (const FileEntry& entry : made.entries(made.cut.parts[part]))
      list.push_back(to_letter(entry.type) + (" " + entry.path));
    return list;
  };
  CHECK(paths(0) == Names{"d var", "d var/replaced", "o var/replaced"});
  CHECK(paths(1).front() == "d usr");
  CHECK(paths(2) == Names{"d var", "d var/lone", "d var/lone/below"});
}

TEST_CASE("small packages of one ecosystem share pools by their names alone") {
  const auto [first, same_pool, other_pool] = names_by_pool();
  StepTree tree;
  for (const std::string& name : {first, same_pool, other_pool}) tree.add_python(name, "1", {1});
  const Cut made = cut(tree);
  CHECK(made.cut.parts.size() == 2);
  const std::string pooled = fmt::format("{} 1, {} 1", std::min(first, same_pool), std::max(first, same_pool));
  const Names contents = made.contents();
  CHECK(std::count(contents.begin(), contents.end(), pooled) == 1);
  CHECK(pool_of({Ecosystem::pypi, "Py_Yaml", "1", "", "", "", ""}) ==
        pool_of({Ecosystem::pypi, "py-yaml", "2", "", "", "", ""}));
  // For ever: another pool is another digest.
  CHECK(pool_of({Ecosystem::pypi, "requests", "2.31.0", "", "", "", ""}) == 2);
  CHECK(pool_of({Ecosystem::deb, "tini", "0.19", "", "", "", ""}) == 2);
}

TEST_CASE("a pool tells its first packages and how many more there are") {
  StepTree tree;
  for (const std::string& name : names_of_pool_0(5)) tree.add_python(name, "1", {1});
  const Names contents = cut(tree).contents();
  REQUIRE(contents.size() == 1);
  CHECK(contents[0].ends_with(" and 2 more"));
  CHECK(std::count(contents[0].begin(), contents[0].end(), ',') == 2);
}

TEST_CASE("a limit on layers raises the size by doubling, then takes one pool, then one layer") {
  StepTree tree;
  std::uint64_t size = 9 * kMiB;
  for (const std::string& name : names_of_pool_0(6)) {
    tree.add_python(name, "1", {size});
    size += 8 * kMiB;
  }
  CHECK(cut(tree, {8 * kMiB, 6}).cut.own_layer_bytes == 8 * kMiB);
  const Cut five = cut(tree, {8 * kMiB, 5});
  CHECK(five.cut.own_layer_bytes == 32 * kMiB);
  CHECK(five.cut.parts.size() == 4);
  CHECK(cut(tree, {8 * kMiB, 1}).cut.own_layer_bytes == 64 * kMiB);

  tree.add_python(names_by_pool()[pool_of({Ecosystem::pypi, "a0", "", "", "", "", ""}) == 0 ? 2 : 0], "1", {1});
  const Cut one_pool = cut(tree, {8 * kMiB, 1});
  CHECK_FALSE(one_pool.cut.own_layer_bytes);
  REQUIRE(one_pool.contents().size() == 1);
  CHECK(one_pool.contents()[0].ends_with(" and 4 more"));

  tree.add("etc/own");
  const Cut all = cut(tree, {8 * kMiB, 1});
  CHECK_FALSE(all.cut.own_layer_bytes);
  CHECK(all.contents() == Names{""});
  CHECK(all.entries(all.cut.parts[0]) == all.diff);
}

TEST_CASE("all names of a file are in one layer: of the one package that has any, else the rest") {
  StepTree tree;
  tree.add_python("torch", "1", {9 * kMiB, 1, 1});
  tree.add_python("other", "1", {9 * kMiB, 1});
  tree.add("cache/torch/f1.py", EntryType::file, 1);
  tree.add_link(kModules + "torch/f1.py", EntryType::hardlink, "cache/torch/f1.py");
  tree.add_link(kModules + "torch/f2.py", EntryType::hardlink, kModules + "other/f1.py");
  const Cut made = cut(tree);
  REQUIRE(made.contents() == Names{"other 1", "torch 1", "the rest"});
  const Names of_torch = made.files(1);
  CHECK(std::count(of_torch.begin(), of_torch.end(), "cache/torch/f1.py") == 1);
  CHECK(std::count(of_torch.begin(), of_torch.end(), kModules + "torch/f1.py") == 1);
  CHECK(made.files(2) == Names{kModules + "other/f1.py", kModules + "torch/f2.py"});
}

namespace {

// Random steps: packages of every ecosystem with shared folders and files, links of all kinds, marks, lone folders.
class RandomStep {
 public:
  explicit RandomStep(std::uint64_t seed) : random_(seed) {
    add_below("lib", EntryType::symlink, "usr/lib");
    for (int i = 0; i < 20; ++i) add_below(fmt::format("old/d{}/f{}", pick(4), i), EntryType::file, "");
    const std::size_t packages = pick(30);
    for (std::size_t i = 0; i < packages; ++i) add_package(i);
    tree.add_text("var/lib/dpkg/status", status_);
    for (std::size_t i = pick(20); i > 0; --i)
      tree.add(fmt::format("data/d{}/f{}", pick(5), i), EntryType::file, size());
    for (std::size_t i = pick(4); i > 0; --i) tree.add(fmt::format("empty/d{}/e{}", pick(3), i), EntryType::directory);
    for (std::size_t i = pick(6); i > 0; --i) tree.add(fmt::format("dev/n{}", i), EntryType::fifo);
    if (pick(2) == 1) tree.make_opaque(fmt::format("old/d{}", pick(4)));
    for (const auto& [path, entry] : below_) {
      if (path.starts_with("old/") && !tree.has(path) && !tree.has(std::string(parent_path(path))) && pick(3) == 0)
        tree.add(path, EntryType::whiteout);
    }
    add_hard_links();
  }

  std::vector<FileEntry> below() const {
    std::vector<FileEntry> list;
    for (const auto& [path, entry] : below_) list.push_back(entry);
    return list;
  }

  StepTree tree;

 private:
  std::size_t pick(std::size_t below) { return static_cast<std::size_t>(random_() % below); }
  std::uint64_t size() { return pick(3) == 0 ? pick(40) * kMiB : pick(5000); }

  void add_below(const std::string& path, EntryType type, const std::string& link) {
    FileEntry entry;
    entry.path = path;
    entry.type = type;
    entry.link = link;
    below_[path] = entry;
  }

  void add_package(std::size_t number) {
    const std::string name = fmt::format("p{}", number);
    const std::string shared = fmt::format("shared/s{}.py", pick(3));
    const std::size_t files = 1 + pick(4);
    switch (pick(4)) {
      case 0: {
        std::vector<std::uint64_t> sizes;
        for (std::size_t i = 0; i < files; ++i) sizes.push_back(size());
        if (pick(3) == 0) tree.add(kModules + shared);
        tree.add_python(name, "1", sizes, shared + ",,\n../../../bin/missing,,\n");
        tree.add(fmt::format("{}{}/__pycache__/f0.cpython-311.pyc", kModules, name), EntryType::file, size());
        break;
      }
      case 1: {
        status_ += fmt::format("Package: {}\nArchitecture: all\nVersion: 1:2\n\n", name);
        std::string list = "/.\n/lib\n";
        for (std::size_t i = 0; i < files; ++i) {
          list += fmt::format("/lib/{}/so{}\n", name, i);
          tree.add(fmt::format("usr/lib/{}/so{}", name, i), EntryType::file, size());
        }
        tree.add_text(fmt::format("var/lib/dpkg/info/{}.list", name), list + "/data/d0/f1\n");
        break;
      }
      case 2: {
        const std::string folder = fmt::format("app/node_modules/{}", pick(2) == 0 ? name : "@scope/" + name);
        tree.add_text(folder + "/package.json", fmt::format(R"({{"name":"{}","version":"1.0.{}"}})", name, number));
        for (std::size_t i = 0; i < files; ++i)
          tree.add(fmt::format("{}/{}f{}.js", folder, i % 2 == 0 ? "node_modules/x/" : "", i), EntryType::file, size());
        tree.add_link("app/node_modules/.bin/" + name, EntryType::symlink, "../" + name + "/f.js");
        break;
      }
      default: {
        std::string list;
        for (std::size_t i = 0; i < files; ++i) {
          list += fmt::format("{}\"c/{}f{}\"", i == 0 ? "" : ",", name, i);
          tree.add(fmt::format("opt/c/{}f{}", name, i), EntryType::file, size());
        }
        tree.add_text(fmt::format("opt/conda-meta/{}.json", name),
                      fmt::format(R"({{"name":"{}","version":"2","files":[{}]}})", name, list));
      }
    }
  }

  // Turns files into names of one that stands before them.
  void add_hard_links() {
    Names files;
    for (const FileEntry& entry : tree.diff()) {
      const bool is_text = entry.path.find("dist-info") != std::string::npos || entry.path.ends_with(".json") ||
                           entry.path.find("dpkg") != std::string::npos;
      if (entry.type == EntryType::file && !is_text) files.push_back(entry.path);
    }
    std::set<std::string> links;
    for (std::size_t i = files.empty() ? 0 : pick(8); i > 0; --i) {
      const std::size_t first = pick(files.size());
      const std::size_t later = first + pick(files.size() - first);
      if (first == later || links.count(files[first]) || links.count(files[later])) continue;
      if (std::any_of(links.begin(), links.end(),
                      [&](const std::string& link) { return targets_[link] == files[later]; }))
        continue;
      tree.add_link(files[later], EntryType::hardlink, files[first]);
      targets_[files[later]] = files[first];
      links.insert(files[later]);
    }
  }

  std::mt19937_64 random_;
  std::map<std::string, FileEntry> below_;
  std::map<std::string, std::string> targets_;
  std::string status_;
};

std::vector<std::pair<std::string, FileEntry>> files_of(const MergedView& view) {
  std::vector<std::pair<std::string, FileEntry>> files;
  view.walk("", [&](const MergedView::Found& found) {
    files.emplace_back(found.path, found.entry ? *found.entry : FileEntry());
    return true;
  });
  return files;
}

// "" where a layer can be written of these entries: in order, with all that it needs.
std::string what_lacks(const std::vector<FileEntry>& layer, const std::set<std::string>& folders_of_diff) {
  std::set<std::string> paths;
  for (std::size_t i = 0; i < layer.size(); ++i) {
    const FileEntry& entry = layer[i];
    if (i > 0 && !entry_before(layer[i - 1], entry)) return entry.path + " is out of order";
    if (entry.type == EntryType::hardlink && !paths.count(entry.link)) return entry.path + " lacks its file";
    const std::string above(parent_path(entry.path));
    if (folders_of_diff.count(above) && !paths.count(above)) return entry.path + " lacks its folder";
    paths.insert(entry.path);
  }
  return "";
}

}  // namespace

TEST_CASE("the layers of any step are what it wrote, no more and no less, in layers that can be written") {
  std::size_t cut_steps = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    const RandomStep step(seed);
    const auto below = StepTree::index_of(step.below());
    const CutRules rules{8 * kMiB, seed % 5 == 0 ? 1 + seed % 13 : 100};
    const Cut made = cut(step.tree, rules, step.below());
    REQUIRE(made.cut.parts.size() >= 1);
    REQUIRE(made.cut.parts.size() <= rules.most_layers);
    cut_steps += made.cut.parts.size() > 1 ? 1 : 0;

    std::set<std::string> folders;
    for (const FileEntry& entry : made.diff) {
      if (entry.is_directory()) folders.insert(entry.path);
    }
    std::vector<std::size_t> times(made.diff.size());
    std::vector<std::shared_ptr<const FileIndex>> layers = {below};
    for (std::size_t part = 0; part < made.cut.parts.size(); ++part) {
      const std::vector<FileEntry> entries = made.entries(made.cut.parts[part]);
      REQUIRE(what_lacks(entries, folders) == "");
      for (const std::size_t i : made.cut.parts[part].entries) {
        ++times[i];
        const bool is_mark = made.diff[i].type == EntryType::whiteout || made.diff[i].type == EntryType::opaque;
        if (is_mark) REQUIRE(part == 0);
        if (part == 0 && made.contents()[0] == "removed files") REQUIRE((is_mark || made.diff[i].is_directory()));
      }
      layers.push_back(StepTree::index_of(entries));
    }
    for (std::size_t i = 0; i < times.size(); ++i) {
      CAPTURE(made.diff[i].path);
      REQUIRE(times[i] >= 1);
      if (!made.diff[i].is_directory()) REQUIRE(times[i] == 1);
    }
    REQUIRE(files_of(MergedView(layers)) == files_of(MergedView({below, StepTree::index_of(made.diff)})));
  }
  CHECK(cut_steps > 200);
}

TEST_CASE("what a layer of packages holds depends on its packages alone") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    StepTree few, many;
    for (int i = 0; i < 20; ++i) {
      const std::string name = fmt::format("p{}", random() % 1000);
      const std::vector<std::uint64_t> sizes = {random() % 20 * kMiB, random() % 5000};
      const bool in_few = random() % 2 == 0;
      if (few.has(kModules + name) || many.has(kModules + name)) continue;
      if (in_few) few.add_python(name, "1", sizes);
      many.add_python(name, "1", sizes);
    }
    few.add("etc/rest", EntryType::file, random() % 100);
    const Cut of_few = cut(few), of_many = cut(many);
    std::map<std::string, std::vector<FileEntry>> layers;
    for (const LayerPart& part : of_many.cut.parts) layers[part.contents] = of_many.entries(part);
    for (const LayerPart& part : of_few.cut.parts) {
      CAPTURE(part.contents);
      const bool is_pool = part.contents.find(',') != std::string::npos;
      if (part.contents == "the rest" || is_pool || layers.count(part.contents) == 0) continue;
      CHECK(layers[part.contents] == of_few.entries(part));
    }
    // A package that has a layer of its own has it among any others.
    for (const LayerPart& part : of_few.cut.parts) {
      std::uint64_t bytes = 0;
      if (part.contents.find(',') != std::string::npos) continue;
      for (const FileEntry& entry : of_few.entries(part)) bytes += entry.size;
      if (bytes > 9 * kMiB && part.contents != "the rest") CHECK(layers.count(part.contents) == 1);
    }
  }
}

#include "builder/packages/diff_packages.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

using namespace kiln;

namespace {

// Layers by paths and texts; a text that begins with "->" is a symlink, with "=>" a hard link, "/" is a folder.
class DiffFixture {
 public:
  using Files = std::map<std::string, std::string>;

  explicit DiffFixture(Files diff, Files below = {}) : texts_(std::move(diff)) {
    entries_ = entries_of(texts_);
    found_ = packages_of_diff(entries_, below_view(below), [&](const std::string& path) -> std::optional<std::string> {
      std::string text = texts_.at(path);
      if (text.starts_with("=>")) text = texts_.at(text.substr(2));
      if (text == "unreadable") return std::nullopt;
      return text;
    });
  }

  const DiffPackages& found() const { return found_; }
  // "tini 0.19" of a file of the diff; "" for one of no package.
  std::string owner_of(std::string_view path) const {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i].path != path) continue;
      if (!found_.owners.at(i)) return "";
      const StatedPackage& stated = found_.packages.at(*found_.owners[i]).stated;
      return stated.name + " " + stated.version;
    }
    return "no such file";
  }

 private:
  static MergedView below_view(const Files& files) {
    FileIndex::Parts parts;
    parts.diff_id = oci::sha256_of({});
    parts.entries = entries_of(files);
    for (FileEntry& entry : parts.entries) {
      if (entry.type == EntryType::file) entry.content = parts.diff_id;
    }
    return MergedView({std::make_shared<const FileIndex>(std::move(parts))});
  }

  static std::vector<FileEntry> entries_of(const Files& files) {
    std::vector<FileEntry> entries;
    for (const auto& [path, text] : files) {
      FileEntry entry;
      entry.path = path;
      if (text == "/") {
        entry.type = EntryType::directory;
      } else if (text.starts_with("->") || text.starts_with("=>")) {
        entry.type = text[0] == '-' ? EntryType::symlink : EntryType::hardlink;
        entry.link = text.substr(2);
      } else {
        entry.size = text.size();
      }
      entries.push_back(std::move(entry));
    }
    std::sort(entries.begin(), entries.end(), entry_before);
    return entries;
  }

  Files texts_;
  std::vector<FileEntry> entries_;
  DiffPackages found_;
};

const std::string kSite = "usr/local/lib/python3.11/site-packages/";

}  // namespace

TEST_CASE(
    "a step installed the Debian packages whose lists it wrote, and their files are found behind merged folders") {
  const DiffFixture diff({{"var/lib/dpkg/status",
                           "Package: libx\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2\n\n"
                           "Package: python3\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.11.2\n\n"
                           "Package: python3.11\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.11.4\n\n"
                           "Package: before\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n"},
                          {"var/lib/dpkg/info/libx:amd64.list", "/.\n/lib\n/lib/libx.so.2\n/etc/x.conf\n"},
                          {"var/lib/dpkg/info/libx:amd64.shlibs", "s"},
                          {"var/lib/dpkg/info/python3.list", "/usr/bin/python3\n"},
                          {"var/lib/dpkg/info/python3.11.list", "/usr/bin/python3.11\n"},
                          {"var/lib/dpkg/info/python3.11.postinst", "p"},
                          {"usr/lib/libx.so.2", "x"},
                          {"usr/bin/python3", "->python3.11"},
                          {"usr/bin/python3.11", "p"},
                          {"usr/bin/before", "touched by this step"},
                          {"etc/x.conf", "c"},
                          {"etc/ld.so.cache", "l"}},
                         {{"lib", "->usr/lib"}, {"var/lib/dpkg/info/before.list", "/usr/bin/before\n"}});
  CHECK(diff.found().packages.size() == 3);
  CHECK(diff.owner_of("usr/lib/libx.so.2") == "libx 2");
  CHECK(diff.owner_of("etc/x.conf") == "libx 2");
  CHECK(diff.owner_of("var/lib/dpkg/info/libx:amd64.list") == "libx 2");
  CHECK(diff.owner_of("var/lib/dpkg/info/libx:amd64.shlibs") == "libx 2");
  CHECK(diff.owner_of("usr/bin/python3") == "python3 3.11.2");
  CHECK(diff.owner_of("var/lib/dpkg/info/python3.list") == "python3 3.11.2");
  CHECK(diff.owner_of("var/lib/dpkg/info/python3.11.postinst") == "python3.11 3.11.4");
  CHECK(diff.owner_of("usr/bin/before").empty());
  CHECK(diff.owner_of("var/lib/dpkg/status").empty());
  CHECK(diff.owner_of("etc/ld.so.cache").empty());
}

TEST_CASE("a step installed the Python distributions whose metadata it wrote, with the bytecode of their files") {
  const DiffFixture diff({{kSite + "idna-3.6.dist-info/METADATA", "Name: idna\nVersion: 3.6\n"},
                          {kSite + "idna-3.6.dist-info/RECORD", "idna/core.py,,\n../../../bin/idna,,\n"},
                          {kSite + "idna-3.6.dist-info/direct_url.json", "{}"},
                          {kSite + "idna/core.py", "c"},
                          {kSite + "idna/__pycache__/core.cpython-311.pyc", "b"},
                          {kSite + "old/__pycache__/it.cpython-311.pyc", "bytecode of what was there before"},
                          {"usr/local/bin/idna", "#!"},
                          {kSite + "own.py", "o"}},
                         {{kSite + "old-1.dist-info/METADATA", "Name: old\nVersion: 1\n"},
                          {kSite + "old-1.dist-info/RECORD", "old/it.py,,\n"},
                          {kSite + "old/it.py", "i"}});
  REQUIRE(diff.found().packages.size() == 1);
  CHECK(diff.found().packages[0].location == kSite + "idna-3.6.dist-info/METADATA");
  for (const char* file :
       {"idna/core.py", "idna/__pycache__/core.cpython-311.pyc", "idna-3.6.dist-info/direct_url.json"})
    CHECK(diff.owner_of(kSite + file) == "idna 3.6");
  CHECK(diff.owner_of("usr/local/bin/idna") == "idna 3.6");
  CHECK(diff.owner_of(kSite + "old/__pycache__/it.cpython-311.pyc").empty());
  CHECK(diff.owner_of(kSite + "own.py").empty());
}

TEST_CASE("files of a distribution are found where its site-packages folder is a link") {
  const DiffFixture diff({{"opt/venv/lib/site/x-1.dist-info/METADATA", "Name: x\nVersion: 1\n"},
                          {"opt/venv/lib/site/x-1.dist-info/RECORD", "/opt/venv/lib64/site/x.py,,\n../../bin/x,,\n"},
                          {"opt/venv/lib/site/x.py", "x"},
                          {"opt/venv/lib64", "->lib"},
                          {"opt/programs/x", "x"},
                          {"opt/venv/bin", "->../programs"}});
  CHECK(diff.owner_of("opt/venv/lib/site/x.py") == "x 1");
  CHECK(diff.owner_of("opt/programs/x") == "x 1");
  CHECK(diff.owner_of("opt/venv/lib64").empty());
}

TEST_CASE("a file that several packages claim belongs to the first by ecosystem and path") {
  const DiffFixture diff(
      {{"var/lib/dpkg/status", "Package: python3-y\nArchitecture: all\nVersion: 5-1\n"},
       {"var/lib/dpkg/info/python3-y.list", "/" + kSite + "y.py\n/" + kSite + "y-5.dist-info/METADATA\n"},
       {kSite + "y-5.dist-info/METADATA", "Name: y\nVersion: 5\n"},
       {kSite + "y-5.dist-info/RECORD", "y.py,,\nspaces/__init__.py,,\n"},
       {kSite + "a-1.dist-info/METADATA", "Name: a\nVersion: 1\n"},
       {kSite + "a-1.dist-info/RECORD", "spaces/__init__.py,,\n"},
       {kSite + "b-1.dist-info/METADATA", "Name: b\nVersion: 1\n"},
       {kSite + "b-1.dist-info/RECORD", "spaces/__init__.py,,\nspaces/b.py,,\n"},
       {kSite + "spaces/__init__.py", ""},
       {kSite + "spaces/b.py", "b"},
       {kSite + "y.py", "y"}});
  CHECK(diff.owner_of(kSite + "y.py") == "python3-y 5-1");
  CHECK(diff.owner_of(kSite + "spaces/__init__.py") == "a 1");
  CHECK(diff.owner_of(kSite + "spaces/b.py") == "b 1");
  CHECK(diff.found().packages.size() == 3);
}

TEST_CASE("a step installed the modules of npm whose manifests it wrote, each folder one package") {
  const DiffFixture diff({{"app/node_modules/a/package.json", R"({"name":"a","version":"1.0.0"})"},
                          {"app/node_modules/a/index.js", "a"},
                          {"app/node_modules/a/node_modules/b/package.json", R"({"name":"b","version":"2.0.0"})"},
                          {"app/node_modules/a/node_modules/b/b.js", "b"},
                          {"app/node_modules/b/package.json", R"({"name":"b","version":"2.0.0"})"},
                          {"app/node_modules/.bin/a", "->../a/index.js"},
                          {"app/package.json", R"({"name":"app","version":"1.0.0"})"}});
  REQUIRE(diff.found().packages.size() == 3);
  CHECK(diff.owner_of("app/node_modules/a/index.js") == "a 1.0.0");
  CHECK(diff.owner_of("app/node_modules/a/node_modules/b/b.js") == "b 2.0.0");
  CHECK(diff.owner_of("app/node_modules/.bin/a").empty());
  CHECK(diff.owner_of("app/package.json").empty());
}

TEST_CASE("a step installed the packages of conda whose records it wrote") {
  const DiffFixture diff({{"opt/conda/conda-meta/numpy-1.26-py311_0.json",
                           R"({"name":"numpy","version":"1.26","files":["lib/site/numpy.py","bin/f2py",7]})"},
                          {"opt/conda/conda-meta/history", "h"},
                          {"opt/conda/lib/site/numpy.py", "n"},
                          {"opt/conda/bin/f2py", "f"},
                          {"opt/conda/other", "o"}});
  CHECK(diff.owner_of("opt/conda/lib/site/numpy.py") == "numpy 1.26");
  CHECK(diff.owner_of("opt/conda/bin/f2py") == "numpy 1.26");
  CHECK(diff.owner_of("opt/conda/conda-meta/numpy-1.26-py311_0.json") == "numpy 1.26");
  CHECK(diff.owner_of("opt/conda/other").empty());
}

TEST_CASE("databases that are hard links are read, and broken ones are said and own nothing") {
  const DiffFixture diff({{"cache/METADATA", "Name: z\nVersion: 1\n"},
                          {kSite + "z-1.dist-info/METADATA", "=>cache/METADATA"},
                          {kSite + "z-1.dist-info/RECORD", "z.py,,\n../../../../../../../../z,,\nloop/x,,\n"},
                          {kSite + "loop", "->loop"},
                          {kSite + "z.py", "z"},
                          {"z", "z"},
                          {"n/node_modules/a/package.json", "{"},
                          {"n/node_modules/b/package.json", "unreadable"},
                          {"opt/conda-meta/x.json", R"({"name":"x y","version":"1"})"}});
  REQUIRE(diff.found().packages.size() == 1);
  CHECK(diff.owner_of(kSite + "z.py") == "z 1");
  CHECK(diff.owner_of("z") == "z 1");
  CHECK(diff.owner_of("cache/METADATA").empty());
  REQUIRE(diff.found().notes.size() == 3);
  CHECK(diff.found().notes[0] == "'opt/conda-meta/x.json': the name 'x y' is none of a package");
  CHECK(diff.found().notes[2] == "'n/node_modules/b/package.json': could not be read");
}

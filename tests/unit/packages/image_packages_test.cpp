#include "builder/packages/image_packages.hpp"

#include <doctest/doctest.h>

#include "builder/packages/package_changes.hpp"
#include "builder/packages/shared_packages.hpp"

using namespace kiln;

namespace {

// An image whose layers are given by paths and texts; a text that begins with "->" is a symlink, one that begins as an
// ELF file does may be executed.
class Image {
 public:
  using Files = std::map<std::string, std::string>;
  explicit Image(std::vector<Files> layers) : layers_(std::move(layers)) {
    std::vector<std::shared_ptr<const FileIndex>> indexes;
    for (const Files& files : layers_) {
      FileIndex::Parts parts;
      std::string all;
      for (const auto& [path, text] : files) {
        FileEntry entry;
        entry.path = path;
        entry.mode = 0644;
        if (text.starts_with("->")) {
          entry.type = EntryType::symlink;
          entry.link = text.substr(2);
        } else {
          if (text.starts_with("\x7f"
                               "ELF"))
            entry.mode = 0755;
          entry.size = text.size();
          entry.content = oci::sha256_of(text);
          if (is_kept_file(path)) parts.kept[path] = text;
        }
        parts.unpacked_bytes += 512 + (entry.size + 511) / 512 * 512;
        all += path + '\n' + text + '\n';
        parts.entries.push_back(std::move(entry));
      }
      parts.unpacked_bytes += 1024;
      parts.diff_id = oci::sha256_of(all);
      blobs_.push_back({"layer", oci::sha256_of("blob " + all), parts.unpacked_bytes / 4, {}, {}, {}});
      indexes.push_back(std::make_shared<const FileIndex>(std::move(parts)));
    }
    view_ = MergedView(std::move(indexes));
  }

  ImagePackages packages(const std::vector<oci::HistoryEntry>& history = {}, FileList files = FileList::none) {
    const ReadLayerFiles read = [&](std::size_t layer, const std::set<std::string>& paths) {
      reads.push_back(layer);
      std::map<std::string, std::string> found;
      for (const std::string& path : paths) {
        const auto file = layers_[layer].find(path);
        if (file != layers_[layer].end() && file->second != "unreadable") found.insert(*file);
      }
      return found;
    };
    return packages_of({view_, blobs_, history}, read, files);
  }

  std::vector<std::size_t> reads;

 private:
  std::vector<Files> layers_;
  std::vector<oci::Descriptor> blobs_;
  MergedView view_;
};

Image one_layer(Image::Files files) { return Image(std::vector<Image::Files>{std::move(files)}); }

const Package* find(const ImagePackages& packages, std::string_view purl) {
  for (const Package& package : packages.packages) {
    if (package.purl == purl) return &package;
  }
  return nullptr;
}

const std::string kStatus =
    "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36\n\n"
    "Package: tini\nStatus: install ok installed\nArchitecture: amd64\nVersion: 0.19\n";

}  // namespace

TEST_CASE("a Debian package came with the layer of its list, and its files are found behind merged folders") {
  Image image({{{"etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n"},
                {"lib", "->usr/lib"},
                {"usr/lib/libc.so.6", std::string(1000, 'c')},
                {"var/lib/dpkg/status", "Package: libc6\nVersion: 2.36\nArchitecture: amd64\n"},
                {"var/lib/dpkg/info/libc6:amd64.list", "/.\n/lib\n/lib/libc.so.6\n/lib/gone\n"}},
               {{"usr/bin/tini", "t"},
                {"usr/share/doc/tini/copyright", "Format: x/copyright-format/1.0/\n\nFiles: *\nLicense: Expat\n"},
                {"var/lib/dpkg/status", kStatus},
                {"var/lib/dpkg/info/tini.list", "/usr/bin/tini\n"}}});
  const ImagePackages found =
      image.packages({{"", "FROM", "", "", false}, {"", "ENV", "", "", true}, {"", "RUN apt", "", "", false}});
  REQUIRE(found.packages.size() == 2);
  const Package* libc = find(found, "pkg:deb/debian/libc6@2.36?arch=amd64&distro=debian-12");
  const Package* tini = find(found, "pkg:deb/debian/tini@0.19?arch=amd64&distro=debian-12");
  REQUIRE(libc);
  REQUIRE(tini);
  CHECK(libc->layer == 0);
  CHECK(libc->files == 2);  // the link /lib, which its list names too
  CHECK(libc->unpacked_bytes == 512 + 512 + 1024);
  CHECK(tini->layer == 1);
  CHECK(tini->unpacked_bytes == 1024);
  CHECK(tini->compressed_bytes == 256);
  CHECK(tini->stated.licence == "Expat");
  CHECK(found.layers[1].created_by == "RUN apt");
  CHECK(found.layers[1].packaged_bytes == 1024);
  CHECK(found.notes.empty());
}

TEST_CASE("only layers that have databases are read, each once") {
  Image image({{{"a", "1"}},
               {{"opt/x-1.dist-info/METADATA", "Name: x\nVersion: 1\n"}, {"opt/x-1.dist-info/RECORD", "x.py,,\n"}},
               {{"b", "2"}}});
  CHECK(image.packages().packages.size() == 1);
  CHECK(image.reads == std::vector<std::size_t>{1});
}

TEST_CASE("programs that no package brought are looked into, and belong to the modules that they were made of") {
  std::string program = std::string(
                            "\x7f"
                            "ELF") +
                        std::string(600'000, '\0') + "\xff Go buildinf:\x08\x02";
  program += std::string(16, '\0') +
             "\x06"
             "go1.22";
  const std::string modules = std::string(16, 's') + "mod\tacme.internal/app\tv1\n" + std::string(16, 'e');
  program += static_cast<char>(modules.size()) + modules;
  Image image({{{"var/lib/dpkg/status", kStatus},
                {"var/lib/dpkg/info/tini.list", "/usr/bin/tini\n"},
                {"usr/bin/tini", program},
                {"usr/lib/libx.so.1", program}},
               {{"app", program},
                {"notes.txt", "x"},
                {"small", std::string("\x7f"
                                      "ELF")}},
               {{"odd", std::string("\x7f"
                                    "ELF") +
                            std::string(600'000, '\1')}}});
  const ImagePackages found = image.packages();
  const Package* app = find(found, "pkg:golang/acme.internal/app@v1");
  REQUIRE(app);
  CHECK(app->locations == std::vector<std::string>{"app"});
  CHECK(app->layer == 1);
  CHECK(app->files == 1);
  CHECK(find(found, "pkg:golang/stdlib@1.22")->files == 0);
  CHECK(image.reads == std::vector<std::size_t>{0, 1, 2});
}

TEST_CASE("distroless images state packages one by one") {
  Image image =
      one_layer({{"var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2024a\nArchitecture: all\n"},
                 {"var/lib/dpkg/status.d/tzdata.md5sums", "0123456789abcdef0123456789abcdef  usr/share/zoneinfo/UTC\n"},
                 {"usr/share/zoneinfo/UTC", "utc"}});
  const ImagePackages found = image.packages();
  REQUIRE(found.packages.size() == 1);
  CHECK(found.packages[0].files == 1);
  CHECK(found.packages[0].unpacked_bytes == 1024);
}

TEST_CASE("files of a Python distribution are those of RECORD and their bytecode") {
  const std::string site = "usr/local/lib/python3.11/site-packages/";
  Image image({{{site + "Idna-3.6.dist-info/METADATA", "Name: Idna\nVersion: 3.6\nLicense: BSD-3-Clause\n"},
                {site + "Idna-3.6.dist-info/RECORD", "idna/core.py,sha256=x,1\n../../../bin/idna,,\n"},
                {site + "idna/core.py", "c"},
                {"usr/local/bin/idna", "b"},
                {site + "other.py", "o"}},
               {{site + "idna/__pycache__/core.cpython-311.pyc", "p"}}});
  const ImagePackages found = image.packages();
  REQUIRE(found.packages.size() == 1);
  const Package& idna = found.packages[0];
  CHECK(idna.purl == "pkg:pypi/idna@3.6");
  CHECK(idna.layer == 0);
  CHECK(idna.files == 5);
  CHECK(found.layers[0].packaged_bytes == 4 * 1024);
  CHECK(found.layers[1].packaged_bytes == 1024);
  CHECK(idna.compressed_bytes < idna.unpacked_bytes);
  CHECK_FALSE(idna.part_of);
}

TEST_CASE("what Debian brings of Python is part of Debian's package, and its files are counted once") {
  const std::string site = "usr/lib/python3/dist-packages/";
  Image image =
      one_layer({{"var/lib/dpkg/status", "Package: python3-idna\nVersion: 3.3-1\nArchitecture: all\n"},
                 {"var/lib/dpkg/info/python3-idna.list",
                  "/" + site + "idna.py\n/" + site + "idna-3.3.egg-info\n/" + site + "idna-3.3.egg-info/PKG-INFO\n"},
                 {site + "idna.py", "i"},
                 {site + "idna-3.3.egg-info/PKG-INFO", "Name: idna\nVersion: 3.3\n"}});
  const ImagePackages found = image.packages();
  const Package* python = find(found, "pkg:pypi/idna@3.3");
  const Package* debian = find(found, "pkg:deb/debian/python3-idna@3.3-1?arch=all");
  REQUIRE(python);
  REQUIRE(debian);
  CHECK(python->part_of == debian->purl);
  CHECK(python->files == 0);
  CHECK(debian->files == 2);
}

TEST_CASE("packages of conda own the files of their records, the distribution that they bring with them") {
  const std::string site = "opt/conda/lib/python3.11/site-packages/";
  Image image = one_layer({{"opt/conda/conda-meta/numpy-1.26-0.json",
                            R"({"name":"numpy","version":"1.26","files":["lib/python3.11/site-packages/n.py",)"
                            R"("lib/python3.11/site-packages/numpy-1.26.dist-info/METADATA"]})"},
                           {site + "n.py", "n"},
                           {site + "numpy-1.26.dist-info/METADATA", "Name: numpy\nVersion: 1.26\n"}});
  const ImagePackages found = image.packages();
  REQUIRE(found.packages.size() == 2);
  const Package* conda = find(found, "pkg:conda/numpy@1.26");
  const Package* python = find(found, "pkg:pypi/numpy@1.26");
  REQUIRE(conda);
  REQUIRE(python);
  CHECK(conda->files == 3);
  CHECK(python->files == 0);
  CHECK(python->part_of == conda->purl);
}

TEST_CASE("modules of npm are those directly below a node_modules folder") {
  const std::string modules = "app/node_modules/";
  Image image = one_layer({{modules + "a/package.json", R"({"name":"a","version":"1.0.0"})"},
                           {modules + "a/dist/package.json", R"({"name":"not","version":"1"})"},
                           {modules + "a/index.js", "x"},
                           {modules + "a/node_modules/b/package.json", R"({"name":"b","version":"2.0.0"})"},
                           {modules + "@s/c/package.json", R"({"name":"@s/c","version":"3.0.0"})"},
                           {modules + "@s/c/node_modules/b/package.json", R"({"name":"b","version":"2.0.0"})"},
                           {"app/package.json", R"({"name":"app","version":"0.0.1"})"}});
  const ImagePackages found = image.packages();
  REQUIRE(found.packages.size() == 3);
  CHECK(find(found, "pkg:npm/a@1.0.0")->files == 3);
  CHECK(find(found, "pkg:npm/%40s/c@3.0.0")->files == 1);
  const Package* b = find(found, "pkg:npm/b@2.0.0");
  CHECK(b->files == 2);
  CHECK(b->locations == std::vector<std::string>{modules + "@s/c/node_modules/b/package.json",
                                                 modules + "a/node_modules/b/package.json"});
}

TEST_CASE("a package of apk came with the first layer whose database has it in this version") {
  Image image({{{"lib/apk/db/installed", "P:musl\nV:1\nF:lib\nR:musl\n\nP:curl\nV:7\n"}, {"lib/musl", "m"}},
               {{"lib/apk/db/installed", "P:musl\nV:1\nF:lib\nR:musl\n\nP:curl\nV:8\n\nP:git\nV:2\n"}}});
  const ImagePackages found = image.packages();
  REQUIRE(found.packages.size() == 3);
  CHECK(find(found, "pkg:apk/alpine/musl@1")->layer == 0);
  CHECK(find(found, "pkg:apk/alpine/musl@1")->files == 1);
  CHECK(find(found, "pkg:apk/alpine/curl@8")->layer == 1);
  CHECK(find(found, "pkg:apk/alpine/git@2")->layer == 1);
}

TEST_CASE("links in circles, broken databases and files that cannot be read are no reason to fail") {
  Image image = one_layer({{"var", "->loop"},
                           {"loop", "->var"},
                           {"usr/share/doc", "->nowhere"},
                           {"x/node_modules/a/package.json", "unreadable"},
                           {"y-1.dist-info/METADATA", "\xff\xfe"},
                           {"z-1.dist-info/METADATA", "Name: z\nVersion: 1\n"},
                           {"z-1.dist-info/RECORD", "../../../../../../../etc/passwd,,\n/abs,,\n,,\nloop/x,,\n"}});
  const ImagePackages found = image.packages();
  REQUIRE(found.packages.size() == 1);
  CHECK(found.packages[0].stated.name == "z");
  REQUIRE(found.notes.size() == 2);
  CHECK(found.notes[1] == "'x/node_modules/a/package.json': could not be read from its layer");
}

TEST_CASE("changes tell what came, what went and what has another version") {
  const auto python = [](std::vector<std::pair<std::string, std::string>> packages) {
    Image::Files files;
    for (const auto& [name, version] : packages)
      files[name + version + ".dist-info/METADATA"] = "Name: " + name + "\nVersion: " + version + "\n";
    return one_layer(files).packages();
  };
  const auto changes =
      package_changes(python({{"same", "1"}, {"old", "1"}, {"moved", "1"}, {"two", "1"}}),
                      python({{"Same", "1"}, {"new", "1"}, {"moved", "2"}, {"two", "1"}, {"two", "2"}}));
  REQUIRE(changes.size() == 4);
  CHECK(changes[0].name == "moved");
  CHECK(changes[0].kind == PackageChange::Kind::changed);
  CHECK(changes[0].before == std::vector<std::string>{"1"});
  CHECK(changes[0].after == std::vector<std::string>{"2"});
  CHECK(changes[1].kind == PackageChange::Kind::added);
  CHECK(changes[2].kind == PackageChange::Kind::removed);
  CHECK(changes[3].after == std::vector<std::string>{"1", "2"});
}

TEST_CASE("a package in one layer of several images is shared, one in several layers is repeated") {
  const Image::Files base = {{"a-1.dist-info/METADATA", "Name: a\nVersion: 1\n"}};
  const auto with = [&](const std::string& extra) {
    const Image::Files own = {{"b-1.dist-info/METADATA", "Name: b\nVersion: 1\n"}, {extra, "x"}};
    return Image(std::vector<Image::Files>{base, own}).packages();
  };
  const std::vector<ImagePackages> images = {with("one"), with("two"), one_layer({{"c", "c"}}).packages()};
  const SharedContents shared = shared_contents(images);
  REQUIRE(shared.layers.size() == 1);
  CHECK(shared.layers[0].images == std::vector<std::size_t>{0, 1});
  REQUIRE(shared.packages.size() == 2);
  CHECK(shared.packages[0].package.purl == "pkg:pypi/b@1");
  CHECK(shared.packages[0].copies == 2);
  CHECK(shared.packages[0].repeated_bytes == images[0].packages[1].compressed_bytes);
  CHECK(shared.packages[0].repeated_bytes > 0);
  CHECK(shared.packages[1].copies == 1);
  CHECK(shared.packages[1].repeated_bytes == 0);
}

TEST_CASE("a database of dpkg above 64 MiB, and another file about packages above 16 MiB, are left out and said") {
  const std::string metadata = "usr/lib/python3/dist-packages/a-1.dist-info/METADATA";
  Image image = one_layer(
      {{"var/lib/dpkg/status", std::string((64 << 20) + 1, '\n')}, {metadata, std::string((16 << 20) + 1, '\n')}});
  const ImagePackages packages = image.packages();
  CHECK(packages.packages.empty());
  CHECK(packages.notes ==
        std::vector<std::string>{"'var/lib/dpkg/status': 67.1 MB, more than the 67.1 MB that are read",
                                 "'" + metadata + "': 16.8 MB, more than the 16.8 MB that are read"});
}

TEST_CASE("programs above 128 MiB, and those beyond 256 MiB of an image, are not looked into, which is said") {
  FileIndex::Parts parts;
  parts.diff_id = oci::sha256_of("layer");
  const std::vector<std::pair<std::string, std::uint64_t>> programs = {
      {"a", 128 << 20}, {"b", (128 << 20) + 1}, {"c", 128 << 20}, {"d", 600'000}};
  for (const auto& [path, size] : programs) {
    FileEntry entry;
    entry.path = path;
    entry.mode = 0755;
    entry.size = size;
    entry.content = oci::sha256_of(path);
    parts.entries.push_back(std::move(entry));
  }
  const MergedView view({std::make_shared<const FileIndex>(std::move(parts))});
  std::set<std::string> asked;
  const auto read = [&](std::size_t, const std::set<std::string>& paths) {
    std::map<std::string, std::string> texts;
    for (const std::string& path : paths) texts[path] = "no program of Go's";
    asked = paths;
    return texts;
  };
  const std::vector<oci::Descriptor> blobs = {{"layer", oci::sha256_of("blob"), 1000, {}, {}, {}}};
  const ImagePackages packages = packages_of({view, blobs, {}}, read);
  CHECK(asked == std::set<std::string>{"a", "c"});
  const std::string why = ": not looked into; programs of an image are, up to 134 MB each and 268 MB together";
  CHECK(packages.notes == std::vector<std::string>{"'b'" + why, "'d'" + why});
}

TEST_CASE("of more than 200,000 packages the first are told, and that there are more") {
  std::string status;
  for (int i = 0; i <= 200'000; ++i) status += "Package: p" + std::to_string(i) + "\nVersion: 1\n\n";
  const ImagePackages packages = one_layer({{"var/lib/dpkg/status", status}}).packages();
  CHECK(packages.packages.size() == 200'000);
  CHECK(packages.notes == std::vector<std::string>{"more than 200000 packages"});
}

TEST_CASE("files are listed where they are asked for: what the image shows of them, each with its package") {
  Image image(std::vector<Image::Files>{{{"var/lib/dpkg/status", kStatus},
                                         {"var/lib/dpkg/info/tini.list", "/.\n/usr/bin/tini\n"},
                                         {"usr/bin/tini", "old"},
                                         {"link", "->usr/bin/tini"}},
                                        {{"usr/bin/tini", "new"}, {"app", "a"}}});
  CHECK(image.packages().files.empty());
  const ImagePackages packages = image.packages({}, FileList::all);
  std::vector<std::string> paths;
  for (const PackagedFile& file : packages.files) paths.push_back(file.path);
  CHECK(paths == std::vector<std::string>{"app", "usr/bin/tini", "var/lib/dpkg/info/tini.list", "var/lib/dpkg/status"});
  CHECK_FALSE(packages.files[0].package);
  CHECK(packages.files[1].content == oci::sha256_of("new"));
  CHECK(packages.files[1].layer == 1);
  REQUIRE(packages.files[1].package);
  CHECK(packages.packages[*packages.files[1].package].stated.name == "tini");
}

#include "builder/packages/hidden_packages.hpp"

#include <doctest/doctest.h>

using namespace kiln;

namespace {

// An image of layers that are told by paths and texts; "gone" is a whiteout.
class Layers {
 public:
  using Files = std::map<std::string, std::string>;

  void add(const Files& files) {
    FileIndex::Parts parts;
    std::string all;
    for (const auto& [path, text] : files) {
      FileEntry entry;
      entry.path = path;
      if (text == "gone") {
        entry.type = EntryType::whiteout;
      } else {
        entry.mode = 0644;
        entry.size = text.size();
        entry.content = oci::sha256_of(text);
      }
      parts.unpacked_bytes += 512 + (entry.size + 511) / 512 * 512;
      all += path + '\n' + text + '\n';
      parts.entries.push_back(std::move(entry));
    }
    parts.diff_id = oci::sha256_of(all);
    blobs_.push_back({"layer", oci::sha256_of("blob " + all), parts.unpacked_bytes / 2, {}, {}, {}});
    texts_.push_back(files);
    view_ = view_.with_layer(std::make_shared<const FileIndex>(std::move(parts)));
  }

  std::vector<HiddenPackage> hidden() {
    return hidden_packages({view_, blobs_, {}}, [&](std::size_t layer, const std::set<std::string>& paths) {
      reads.push_back(layer);
      std::map<std::string, std::string> found;
      for (const std::string& path : paths) found.emplace(path, texts_[layer].at(path));
      return found;
    });
  }

  std::vector<std::size_t> reads;

 private:
  MergedView view_;
  std::vector<oci::Descriptor> blobs_;
  std::vector<Files> texts_;
};

// What pip writes of a distribution.
Layers::Files distribution(const std::string& name, const std::string& version, std::size_t size) {
  const std::string info = "lib/site-packages/" + name + "-" + version + ".dist-info/";
  return {{"lib/site-packages/" + name + ".py", std::string(size, 'x')},
          {info + "METADATA", "Name: " + name + "\nVersion: " + version + "\n"},
          {info + "RECORD", name + ".py,,\n"}};
}

}  // namespace

TEST_CASE("a distribution that a higher layer upgrades is hidden, with the bytes of its files") {
  Layers image;
  Layers::Files lower = distribution("numpy", "1.0", 2000);
  lower.merge(distribution("idna", "3.6", 5000));
  image.add(lower);
  image.add({{"etc/own", "1"}});
  Layers::Files upper = distribution("numpy", "2.0", 3000);
  upper["lib/site-packages/numpy-1.0.dist-info"] = "gone";
  image.add(upper);
  const std::vector<HiddenPackage> hidden = image.hidden();
  REQUIRE(hidden.size() == 1);
  CHECK(hidden[0].stated.name == "numpy");
  CHECK(hidden[0].stated.version == "1.0");
  CHECK(hidden[0].layer == 0);
  CHECK(hidden[0].hidden_by == 2);
  CHECK(hidden[0].unpacked_bytes == (512 + 2048) + 2 * 1024);
  CHECK(hidden[0].compressed_bytes == hidden[0].unpacked_bytes / 2);
  CHECK(image.reads == std::vector<std::size_t>{0});
}

TEST_CASE("a Debian package is hidden where its list of files is another one, not where only the status is") {
  const auto status = [](const std::string& version) {
    return "Package: tini\nStatus: install ok installed\nArchitecture: all\nVersion: " + version + "\n";
  };
  Layers image;
  image.add({{"usr/bin/tini", std::string(1000, 't')},
             {"var/lib/dpkg/status", status("1")},
             {"var/lib/dpkg/info/tini.list", "/usr/bin/tini\n"}});
  image.add({{"var/lib/dpkg/status", status("1") + "\n"}});
  CHECK(image.hidden().empty());
  CHECK(image.reads.empty());
  image.add({{"usr/bin/tini", std::string(1001, 't')},
             {"var/lib/dpkg/status", status("2")},
             {"var/lib/dpkg/info/tini.list", "/usr/bin/tini\n/etc/tini\n"}});
  const std::vector<HiddenPackage> hidden = image.hidden();
  REQUIRE(hidden.size() == 1);
  CHECK(hidden[0].stated.version == "1");
  CHECK(hidden[0].unpacked_bytes == 512 + 1024 + 1024);
}

TEST_CASE("what is removed again is hidden by the layer that removes it, by a folder above too") {
  Layers image;
  image.add(distribution("numpy", "1.0", 2000));
  image.add({{"lib/site-packages", "gone"}});
  const std::vector<HiddenPackage> hidden = image.hidden();
  REQUIRE(hidden.size() == 1);
  CHECK(hidden[0].hidden_by == 1);
}

// Other people's tools on layers of ours.

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.hpp"
#include "builder/layer/layer_writer.hpp"
#include "layer_fixture.hpp"
#include "registry/oci/image_config.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/store/image_names.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

bool has_program(const char* name) {
  if (find_program(name)) return true;
  MESSAGE("skipped: there is no " << name << " here");
  return false;
}

LayerValue upper_layer(Workshop& shop, const Compression& compression) {
  LayerWriterOptions options;
  options.compression = compression;
  options.set_mtime = kReproducibleEpoch;
  LayerWriter writer(shop.store, shop.pool, options);
  writer.add(folder_of("bin", 0755));
  FileEntry ping = entry_of("bin/ping", EntryType::file, 0755);
  ping.xattrs["security.capability"] =
      std::string("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20);
  add_file(writer, ping, "program");
  writer.add(folder_of("data", 0750));
  writer.add(entry_of("data", EntryType::opaque));
  add_file(writer, entry_of("data/caf\xc3\xa9", EntryType::file), "utf-8");
  add_file(writer, entry_of("data/caf\xe9", EntryType::file), "latin-1");
  add_file(writer, entry_of("data/" + std::string(200, 'n'), EntryType::file), varied_bytes(9 << 20, 1));
  writer.add(link_of("data/second", "data/caf\xc3\xa9", EntryType::hardlink));
  writer.add(entry_of("gone", EntryType::whiteout));
  return writer.finish();
}

LayerValue lower_layer(Workshop& shop, const Compression& compression) {
  LayerWriterOptions options;
  options.compression = compression;
  LayerWriter writer(shop.store, shop.pool, options);
  writer.add(folder_of("data"));
  add_file(writer, entry_of("data/hidden", EntryType::file), "1");
  add_file(writer, entry_of("gone", EntryType::file), "2");
  add_file(writer, entry_of("kept", EntryType::file), "3");
  return writer.finish();
}

std::vector<LayerValue> publish(Workshop& shop, const Compression& compression) {
  const std::vector<LayerValue> layers{lower_layer(shop, compression), upper_layer(shop, compression)};
  oci::ImageConfig config;
  config.platform = oci::Platform::parse("linux/amd64");
  oci::Manifest manifest;
  for (const LayerValue& layer : layers) {
    config.diff_ids.push_back(layer.diff_id);
    config.history.push_back({});
    manifest.layers.push_back(layer.blobs.at(0).descriptor);
  }
  manifest.config = shop.store.put(oci::serialise(config), oci::media_type::kOciConfig);
  const oci::Descriptor root = shop.store.put(oci::serialise(manifest), oci::media_type::kOciManifest);
  shop.store.sync();
  const std::vector<NamedImage> images{{"app", root}};
  publish_images(shop.store, images);
  return layers;
}

std::string oci_name(const Workshop& shop) { return shop.store.home().oci().native() + ":app"; }

}  // namespace

TEST_CASE("skopeo copies an image out of the store and decompresses both kinds of layer to their diff IDs") {
  if (!has_program("skopeo")) {
    MESSAGE("skipped: not installed: skopeo");
    return;
  }
  for (const char* kind : {"gzip", "zstd"}) {
    CAPTURE(kind);
    Workshop shop;
    const auto layers = publish(shop, Compression::parse(kind));
    const std::string out = shop.path("plain").native();
    output_of({"skopeo", "copy", "--insecure-policy", "--dest-decompress", "oci:" + oci_name(shop), "dir:" + out});
    for (const LayerValue& layer : layers) {
      CHECK(oci::sha256_of(read_file(fs::path(out) / std::string(layer.diff_id.hex()))) == layer.diff_id);
    }
  }
}

TEST_CASE("umoci unpacks an image out of the store as it was written") {
  if (!has_program("umoci")) {
    MESSAGE("skipped: not installed: umoci");
    return;
  }
  if (::geteuid() != 0) {
    MESSAGE("skipped: needs root");
    return;
  }
  Workshop shop;
  publish(shop, Compression::parse("gzip"));
  output_of({"umoci", "unpack", "--image", oci_name(shop), shop.path("bundle").native()});
  const fs::path root = shop.path("bundle") / "rootfs";
  CHECK(read_file(root / "data/caf\xc3\xa9") == "utf-8");
  CHECK(read_file(root / "data/caf\xe9") == "latin-1");
  CHECK(read_file(root / "data/second") == "utf-8");
  CHECK(read_file(root / ("data/" + std::string(200, 'n'))) == varied_bytes(9 << 20, 1));
  CHECK(read_file(root / "kept") == "3");
  CHECK_FALSE(fs::exists(root / "gone"));
  CHECK_FALSE(fs::exists(root / "data/hidden"));
  char value[64];
  CHECK(::lgetxattr((root / "bin/ping").c_str(), "security.capability", value, sizeof value) == 20);
  struct stat info;
  REQUIRE(::lstat((root / "data").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0750);
  CHECK(info.st_mtim.tv_sec == kReproducibleEpoch);
}

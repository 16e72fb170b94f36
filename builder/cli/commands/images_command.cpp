#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_table.hpp"
#include "registry/oci/image_config.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/store/closure.hpp"
#include "registry/store/content_store.hpp"
#include "registry/store/image_names.hpp"

namespace kiln::cli {

namespace {

struct ListedImage {
  NamedImage named;
  std::vector<std::string> platforms;
  std::uint64_t bytes = 0;  // of all its blobs, each once
};

ListedImage describe(const ContentStore& store, const NamedImage& named) {
  ListedImage listed{named, {}, 0};
  for (const oci::Descriptor& blob : closure_of(store, named.descriptor)) {
    listed.bytes += blob.size;
    if (blob.media_type != oci::media_type::kOciConfig && blob.media_type != oci::media_type::kDockerConfig) continue;
    listed.platforms.push_back(
        oci::parse_image_config(store.read(blob.digest), fmt::format("config of '{}'", named.name)).platform.str());
  }
  return listed;
}

int run_images(bool as_json) {
  const ContentStore store(HomeLayout::open(HomeLayout::default_root()));
  nlohmann::json list = nlohmann::json::array();
  TextTable table({TextTable::Align::left, TextTable::Align::left, TextTable::Align::left, TextTable::Align::right}, 0);
  table.add({{"NAME", TextStyle::bold},
             {"DIGEST", TextStyle::bold},
             {"PLATFORM", TextStyle::bold},
             {"SIZE", TextStyle::bold}});
  for (const NamedImage& named : named_images(store)) {
    const ListedImage image = describe(store, named);
    if (as_json) {
      list.push_back({{"name", named.name},
                      {"digest", named.descriptor.digest.str()},
                      {"platforms", image.platforms},
                      {"compressed_bytes", image.bytes}});
    } else {
      table.add({{printable(named.name)},
                 {named.descriptor.digest.short_hex()},
                 {printable(join(image.platforms, ","))},
                 {human_bytes(image.bytes)}});
    }
  }
  if (as_json) {
    print_json(list);
  } else {
    print_table(table);
  }
  return 0;
}

}  // namespace

void add_images_command(Arguments& root) {
  const auto json = std::make_shared<bool>(false);
  root.command("images", "List the images of the store.")
      .flag("--json", *json, "as JSON")
      .handler([json](const CancelToken&) { return run_images(*json); });
}

}  // namespace kiln::cli

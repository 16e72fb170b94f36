#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/images/found_image.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_table.hpp"
#include "registry/oci/image_config.hpp"

namespace kiln::cli {

namespace {

struct InspectWords : ImageWords {
  bool raw = false;
  bool config = false;
  bool json = false;
};

std::vector<std::string> platforms_of(const FoundImage& image) {
  std::vector<std::string> platforms;
  if (image.index) {
    for (const oci::Descriptor& child : image.index->manifests) {
      if (child.platform && !child.platform->is_unknown()) platforms.push_back(child.platform->str());
    }
  } else if (image.config) {
    platforms.push_back(image.config->platform.str());
  }
  return platforms;
}

nlohmann::json json_of(const FoundImage& image) {
  nlohmann::json out = {{"name", image.name},
                        {"digest", image.root.digest.str()},
                        {"media_type", image.root.media_type},
                        {"platforms", platforms_of(image)},
                        {"manifest_digest", image.manifest.digest.str()},
                        {"config_digest", image.parsed.config.digest.str()},
                        {"compressed_bytes", image.layer_bytes()},
                        {"manifest", parse_json(image.manifest_bytes, "manifest", Category::network)}};
  if (image.index) out["index"] = parse_json(image.root_bytes, "index", Category::network);
  if (image.config) out["config"] = oci::parse_config_document(image.config_bytes, "config");
  return out;
}

std::string words_of(const std::optional<std::vector<std::string>>& words) {
  return words ? json_text(nlohmann::json(*words)) : "";
}

void print_config(const oci::ImageConfig& config) {
  print_field("Created", config.created);
  print_field("User", config.config.user);
  print_field("Folder", config.config.working_dir);
  print_field("Entrypoint", words_of(config.config.entrypoint));
  print_field("Command", words_of(config.config.cmd));
  print_field("Ports", join({config.config.exposed_ports.begin(), config.config.exposed_ports.end()}, ", "));
  print_field("Volumes", join({config.config.volumes.begin(), config.config.volumes.end()}, ", "));
  if (config.config.healthcheck) print_field("Healthcheck", words_of(config.config.healthcheck->test));
  for (const std::string& entry : config.config.env) print_field("Env", entry);
  for (const auto& [name, value] : config.config.labels) print_field("Label", name + "=" + value);
}

void print_image(const FoundImage& image) {
  print_field("Name", image.name);
  print_field("Digest", image.root.digest.str());
  print_field("Type", image.root.media_type);
  print_field("Platforms", join(platforms_of(image), ", "));
  if (image.index) print_field("Manifest", image.manifest.digest.str());
  print_field("Image ID", image.parsed.config.digest.str());
  if (image.config) print_config(*image.config);
  print_field("Size", fmt::format("{} in {} layers", human_bytes(image.layer_bytes()), image.parsed.layers.size()));
  TextTable table({TextTable::Align::left, TextTable::Align::right, TextTable::Align::left}, 2);
  for (const oci::Descriptor& layer : image.parsed.layers) {
    table.add({{layer.digest.str()}, {human_bytes(layer.size)}, {printable(layer.media_type)}});
  }
  print_table(table);
}

int run_inspect(const InspectWords& words, const CancelToken& cancel) {
  const FoundImage image = find_image(words, cancel);
  if (words.raw) {
    // Byte for byte: its digest is that of what is printed.
    const std::string& bytes = words.config             ? image.config_bytes
                               : words.platform.empty() ? image.root_bytes
                                                        : image.manifest_bytes;
    std::fwrite(bytes.data(), 1, bytes.size(), stdout);
    return 0;
  }
  if (words.config) {
    print_json(oci::parse_config_document(image.config_bytes, "config"));
  } else if (words.json) {
    print_json(json_of(image));
  } else {
    print_image(image);
  }
  return 0;
}

}  // namespace

void add_inspect_command(Arguments& root) {
  const auto words = std::make_shared<InspectWords>();
  root.command("inspect", "Show what an image is: its platforms, layers and settings.")
      .required_positional("REF", words->reference, "the image")
      .option("--platform", words->platform, "of this platform's image, where the name refers to several")
      .flag("--raw", words->raw, "print the manifest or index byte for byte; with --config the config")
      .flag("--config", words->config, "print the image's config")
      .flag("--json", words->json, "as JSON")
      .flag("--local", words->local, "of the store")
      .handler([words](const CancelToken& cancel) { return run_inspect(*words, cancel); });
}

}  // namespace kiln::cli

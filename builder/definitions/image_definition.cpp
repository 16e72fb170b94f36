#include "builder/definitions/image_definition.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/definitions/bake/attribute_values.hpp"
#include "builder/definitions/byte_size.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/hcl/json_reader.hpp"
#include "builder/definitions/name_template.hpp"
#include "builder/definitions/own_secrets.hpp"
#include "builder/definitions/schema.hpp"
#include "registry/oci/reference.hpp"

namespace kiln {

using nlohmann::json;

namespace {

class DefinitionReader {
 public:
  DefinitionReader(const JsonSource& source, const json& content, const FleetSettings& settings)
      : source_(source), content_(content), settings_(settings), folder_(source.file().parent_path()) {}

  TargetSpec read() {
    target_.definition = source_.file();
    target_.image = content_.value("name", folder_.filename().string());
    check_name();
    target_.name = target_.image;  // for messages; its profiles name its targets
    target_.description = content_.value("description", "");
    const auto kind = content_.at("kind").get<std::string>();
    target_.kind = kind == "base" ? ImageKind::base : kind == "family" ? ImageKind::family : ImageKind::service;
    target_.device = content_.value("device", "cpu") == "gpu" ? Device::gpu : Device::cpu;
    read_debian();
    collect([&] { read_dockerfile(); });
    const bool has_dockerfile = problems_.empty();
    collect([&] { read_parts(); });
    collect([&] { read_platforms(); });
    collect([&] { read_names(); });
    if (content_.contains("compression")) {
      collect([&] {
        target_.compression = checked(
            "/compression", [&] { return Compression::parse_text(content_.at("compression").get<std::string>()); });
      });
    }
    if (content_.contains("layers")) target_.layers = layer_rules_from_json(content_.at("layers"));
    if (content_.contains("cuda")) {
      target_.cuda = Cuda{content_.at("cuda").at("version").get<std::string>(),
                          content_.at("cuda").at("arch").get<std::vector<std::string>>()};
    }
    collect([&] { read_limit(); });
    if (has_dockerfile) collect([&] { read_baseline(); });
    collect([&] { read_secrets(); });
    if (!problems_.empty()) throw error_of(problems_);
    target_.cache_from = settings_.cache_from;
    target_.cache_to = settings_.cache_to;
    if (!settings_.source.empty()) target_.labels.emplace("org.opencontainers.image.source", settings_.source);
    return std::move(target_);
  }

 private:
  template <class Body>
  auto checked(std::string_view pointer, Body&& body) const -> decltype(body()) {
    try {
      return body();
    } catch (const Error& error) {
      source_.fail(pointer, error.message());
    }
  }

  // One part of the definition; what is wrong with it keeps no other part from being read.
  template <class Body>
  void collect(Body&& body) {
    try {
      body();
    } catch (const Error& error) {
      if (error.category() != Category::usage) throw;
      for (std::string& problem : problems_of(error)) problems_.push_back(std::move(problem));
    }
  }

  fs::path path_from(const std::string& text) const {
    fs::path path = (folder_ / text).lexically_normal();
    return path.has_filename() ? path : path.parent_path();
  }

  void check_name() const {
    const json probe = {{"kind", "base"}, {"name", target_.image}};
    if (!image_schema().validate(probe).empty()) {
      source_.fail("", fmt::format("the folder's name '{}' can be no image's; expected lower-case letters and digits "
                                   "joined by '-' or '_', or a \"name\" of that kind",
                                   printable(target_.image)));
    }
  }

  void read_debian() {
    if (!content_.contains("debian")) return;
    const json& debian = content_.at("debian");
    target_.debian = DebianRequest{target_.image,
                                   debian.at("suite").get<std::string>(),
                                   debian.value("variant", "minbase"),
                                   debian.value("include", std::vector<std::string>{}),
                                   debian.value("components", std::vector<std::string>{}),
                                   debian.value("mirror", ""),
                                   debian.value("security_mirror", ""),
                                   display_path(source_.file())};
  }

  void read_dockerfile() {
    const bool lies_here = fs::is_regular_file(folder_ / "Dockerfile");
    if (target_.debian && !content_.contains("dockerfile") && !lies_here) {
      static constexpr std::array<const char*, 8> kNeedDockerfile = {"context", "contexts", "target",   "args",
                                                                     "secrets", "network",  "no_cache", "cuda"};
      for (const char* key : kNeedDockerfile) {
        if (!content_.contains(key)) continue;
        source_.fail(child_pointer("", key),
                     fmt::format("'{}' means nothing without a Dockerfile; add one, or \"dockerfile\"", key));
      }
      return;
    }
    target_.dockerfile = path_from(content_.value("dockerfile", "Dockerfile"));
    if (!fs::is_regular_file(*target_.dockerfile)) {
      const std::string pointer = content_.contains("dockerfile") ? "/dockerfile" : "";
      source_.fail(pointer,
                   fmt::format("there is no Dockerfile '{}'; name another by \"dockerfile\", or Debian packages "
                               "by \"debian\"",
                               display_path(*target_.dockerfile)));
    }
    target_.context = path_from(content_.value("context", "."));
    if (!fs::is_directory(*target_.context)) {
      source_.fail("/context", fmt::format("there is no folder '{}'", display_path(*target_.context)));
    }
  }

  void read_parts() {
    for (const bake::Attribute& attribute : bake::attributes()) {
      const std::string key(attribute.definition_key);
      if (key.empty() || !content_.contains(key)) continue;
      const std::string pointer = child_pointer("", key);
      bake::AttributeValues values;
      try {
        const hcl::Source text(key, json_text(content_.at(key)));
        if (auto value = bake::read_attribute(attribute, hcl::json_value(text)))
          values.emplace(attribute.name, *std::move(value));
      } catch (const hcl::ValueError& error) {
        source_.fail(pointer, error.what());
      }
      bake::normalise(values);
      checked(pointer, [&] { bake::apply_values(values, target_, {folder_, folder_}); });
    }
    for (const auto& [name, value] : target_.contexts) {
      if (fs::path(value).is_absolute() && !fs::is_directory(value)) {
        source_.fail(child_pointer("/contexts", name), fmt::format("there is no folder '{}'", display_path(value)));
      }
    }
  }

  void read_platforms() {
    target_.platforms = settings_.platforms;
    if (!content_.contains("platforms")) return;
    target_.platforms.clear();
    const json& platforms = content_.at("platforms");
    for (std::size_t i = 0; i < platforms.size(); ++i) {
      target_.platforms.push_back(checked(child_pointer("/platforms", i),
                                          [&] { return oci::Platform::parse(platforms[i].get<std::string>()); }));
    }
  }

  void read_names() {
    target_.tag_templates = content_.value("tags", settings_.tag_templates);
    if (!content_.contains("tags")) return;
    for (std::size_t i = 0; i < target_.tag_templates.size(); ++i) {
      checked(child_pointer("/tags", i), [&] { check_tag_template(target_.tag_templates[i]); });
    }
  }

  void read_limit() {
    const json limits = content_.value("limits", json::object());
    if (!limits.contains("size")) return;
    const json& size = limits.at("size");
    target_.size_limit_bytes =
        size.is_string() ? parse_byte_size(size.get<std::string>()) : std::optional(size.get<std::uint64_t>());
    if (!target_.size_limit_bytes) source_.fail("/limits/size", "the size is too large");
  }

  void read_baseline() {
    if (!content_.contains("baseline")) return;
    const json& baseline = content_.at("baseline");
    BaselineDefinition result;
    std::string pointer = "/baseline";
    if (baseline.is_string()) {
      result.reference = baseline.get<std::string>();
    } else {
      if (baseline.contains("reference") && baseline.contains("dockerfile")) {
        source_.fail(pointer, "a baseline is a \"reference\" or a \"dockerfile\", not both");
      }
      result.reference = baseline.value("reference", "");
      if (!result.reference.empty()) pointer += "/reference";
      if (baseline.contains("dockerfile")) {
        result.dockerfile = path_from(baseline.at("dockerfile").get<std::string>());
        if (!fs::is_regular_file(*result.dockerfile)) {
          source_.fail("/baseline/dockerfile",
                       fmt::format("there is no Dockerfile '{}'", display_path(*result.dockerfile)));
        }
        if (!target_.context)
          source_.fail("/baseline/dockerfile", "an image without a Dockerfile has no context for it");
      }
      if (baseline.contains("recorded")) {
        const json& recorded = baseline.at("recorded");
        result.recorded = RecordedSize{recorded.at("compressed_bytes").get<std::uint64_t>(), std::nullopt,
                                       recorded.at("date").get<std::string>()};
        if (recorded.contains("unpacked_bytes")) {
          result.recorded->unpacked_bytes = recorded.at("unpacked_bytes").get<std::uint64_t>();
        }
      }
    }
    if (!result.reference.empty()) checked(pointer, [&] { return oci::Reference::parse(result.reference); });
    target_.baseline = std::move(result);
  }

  void read_secrets() {
    const json secrets = content_.value("secrets", json::array());
    std::set<std::string> ids;
    for (std::size_t i = 0; i < secrets.size(); ++i) {
      const std::string pointer = child_pointer("/secrets", i);
      SecretSource secret;
      secret.id = secrets[i].at("id").get<std::string>();
      if (!ids.insert(secret.id).second) {
        source_.fail(pointer, fmt::format("two secrets have the id '{}'", printable(secret.id)));
      }
      if (secrets[i].contains("file") && secrets[i].contains("env")) {
        source_.fail(pointer, "a secret comes from a \"file\" or an \"env\", not both");
      }
      if (secrets[i].contains("file")) secret.file = path_from(secrets[i].at("file").get<std::string>());
      if (secrets[i].contains("env")) secret.environment = secrets[i].at("env").get<std::string>();
      if (const auto own = own_secret_of(secret)) {
        source_.fail(pointer, fmt::format("secret '{}': kiln has the variable '{}' from the environment for itself",
                                          printable(secret.id), *own));
      }
      target_.secrets.push_back(std::move(secret));
    }
  }

  const JsonSource& source_;
  const json& content_;
  const FleetSettings& settings_;
  fs::path folder_;
  TargetSpec target_;
  std::vector<std::string> problems_;
};

}  // namespace

ImageDefinition read_image_definition(const fs::path& file, const FleetSettings& settings) {
  ImageDefinition image{JsonSource::read(file), {}, {}, true};
  const json content = image.source.parse(image_schema());
  image.target = DefinitionReader(image.source, content, settings).read();
  if (content.contains("profiles")) image.profiles = content.at("profiles").get<std::vector<std::string>>();
  image.is_default = content.value("default", true);
  return image;
}

}  // namespace kiln

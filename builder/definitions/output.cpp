#include "builder/definitions/output.hpp"

#include <fmt/format.h>

#include <map>

#include "base/csv.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "registry/oci/reference.hpp"

namespace kiln {

namespace {

const std::map<std::string, OutputType, std::less<>> kTypes = {
    {"image", OutputType::image},         {"registry", OutputType::image}, {"oci", OutputType::oci},
    {"docker", OutputType::docker},       {"local", OutputType::local},    {"tar", OutputType::tar},
    {"cacheonly", OutputType::cache_only}};

const std::vector<std::string> kKeys = {"type",
                                        "dest",
                                        "tar",
                                        "name",
                                        "push",
                                        "push-by-digest",
                                        "name-canonical",
                                        "store",
                                        "unpack",
                                        "compression",
                                        "compression-level",
                                        "force-compression",
                                        "oci-mediatypes",
                                        "rewrite-timestamp",
                                        "platform-split"};

// BuildKit's options that kiln does not have, and what to do instead; `false` is what it does anyway.
const std::map<std::string, std::string, std::less<>> kRefused = {
    {"attestation-inline", "no attestations are made; 'cosign attest' makes one for the pushed digest"},
    {"oci-artifact", "no attestations are made; 'cosign attest' makes one for the pushed digest"},
    {"prefer-nondist-layers", "layers keep the media types of their base"},
    {"registry.insecure", "registries on loopback are asked over http, others as docs/registries.md says"},
};

bool parse_boolean(std::string_view key, std::string_view value) {
  const std::string word = to_lower(value);
  if (word == "true" || word == "1" || word == "t") return true;
  if (word == "false" || word == "0" || word == "f") return false;
  throw Error(Category::usage, fmt::format("--output: '{}' must be true or false, got '{}'", key, printable(value)));
}

OutputType parse_type(std::string_view value) {
  const auto it = kTypes.find(value);
  if (it != kTypes.end()) return it->second;
  std::vector<std::string> names;
  for (const auto& [name, type] : kTypes) names.push_back(name);
  throw Error(Category::usage,
              fmt::format("--output: unknown type '{}'{}", printable(value), suggestion(value, names)));
}

void finish(Output& output) {
  const bool needs_destination = output.type != OutputType::image && output.type != OutputType::cache_only;
  if (output.type == OutputType::docker && output.destination.empty() && output.as_tar) {
    output.load = true;
  } else if (needs_destination && output.destination.empty()) {
    if (output.type == OutputType::local) throw Error(Category::usage, "--output type=local needs dest=FOLDER");
    output.destination = "-";
  }
  if (output.type == OutputType::local && output.destination == "-") {
    throw Error(Category::usage, "--output type=local cannot go to standard output; use type=tar,dest=-");
  }
  if (!output.as_tar && output.destination == "-") {
    throw Error(Category::usage, "--output tar=false writes a folder and needs dest=FOLDER");
  }
  if (output.push_by_digest && !output.push)
    throw Error(Category::usage, "--output: push-by-digest=true goes with push=true");
}

}  // namespace

bool makes_image(OutputType type) {
  return type != OutputType::local && type != OutputType::tar && type != OutputType::cache_only;
}

Output parse_output(std::string_view text) {
  Output output;
  const auto fields = csv_fields(text, "--output");
  if (fields.size() == 1 && fields[0] == text && !text.starts_with("type=")) {
    output.type = fields[0] == "-" ? OutputType::tar : OutputType::local;
    output.destination = fields[0];
    finish(output);
    return output;
  }
  bool has_type = false;
  std::optional<std::string> kind;
  std::optional<int> level;
  for (const std::string& field : fields) {
    const std::size_t equals = field.find('=');
    const std::string key = to_lower(trim(field.substr(0, equals)));
    if (equals == std::string::npos) {
      throw Error(Category::usage,
                  fmt::format("--output '{}': expected KEY=VALUE, got '{}'", printable(text), printable(field)));
    }
    const std::string value = field.substr(equals + 1);
    if (key == "type") {
      output.type = parse_type(value);
      if (value == "registry") output.push = true;
      has_type = true;
    } else if (key == "dest") {
      output.destination = value;
    } else if (key == "tar") {
      output.as_tar = parse_boolean(key, value);
    } else if (key == "name") {
      for (const std::string_view name : split(value, ',')) output.names.emplace_back(trim(name));
      for (const std::string& name : output.names) {
        if (!name.empty()) oci::parse_new_name(name);
      }
    } else if (key == "push") {
      output.push = parse_boolean(key, value);
    } else if (key == "push-by-digest") {
      output.push_by_digest = parse_boolean(key, value);
    } else if (key == "store") {
      output.store = parse_boolean(key, value);
    } else if (key == "name-canonical" || key == "unpack") {
      parse_boolean(key, value);  // the store finds every image by its digest, and unpacks where a RUN needs files
    } else if (key == "platform-split") {
      output.platform_split = parse_boolean(key, value);
    } else if (const auto refused = kRefused.find(key); refused != kRefused.end()) {
      if (parse_boolean(key, value))
        throw Error(Category::usage, fmt::format("--output: '{}' is refused: {}", key, refused->second));
    } else if (auto annotation = parse_annotation_option(trim(field.substr(0, equals)), value)) {
      output.annotations.push_back(*std::move(annotation));
    } else if (key == "compression") {
      kind = value;
    } else if (key == "compression-level") {
      const auto number = parse_unsigned(value);
      if (!number || *number > 22)
        throw Error(Category::usage, fmt::format("--output: compression-level must be a number from 0 to 22, got '{}'",
                                                 printable(value)));
      level = static_cast<int>(*number);
    } else if (key == "force-compression") {
      output.force_compression = parse_boolean(key, value);
    } else if (key == "oci-mediatypes") {
      output.oci_media_types = parse_boolean(key, value);
    } else if (key == "rewrite-timestamp") {
      output.rewrite_timestamp = parse_boolean(key, value);
    } else {
      throw Error(Category::usage,
                  fmt::format("--output: unknown option '{}'{}", printable(key), suggestion(key, kKeys)));
    }
  }
  if (!has_type)
    throw Error(Category::usage, fmt::format("--output '{}': type is missing{}", printable(text),
                                             "; for example type=oci,dest=image.tar"));
  if (kind || level) output.compression = Compression::parse(kind.value_or("gzip"), level);
  finish(output);
  return output;
}

}  // namespace kiln

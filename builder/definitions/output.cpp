#include "builder/definitions/output.hpp"

#include <fmt/format.h>

#include <algorithm>
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

// What an option is about; a type takes the options of some.
enum class About { any, destination, archive, name, registry, image, files };

struct Option {
  std::string_view key;
  About about;
};

constexpr Option kOptions[] = {
    {"type", About::any},
    {"dest", About::destination},
    {"tar", About::archive},
    {"name", About::name},
    {"push", About::registry},
    {"push-by-digest", About::registry},
    {"name-canonical", About::registry},
    {"store", About::registry},
    {"unpack", About::registry},
    {"compression", About::image},
    {"compression-level", About::image},
    {"force-compression", About::image},
    {"oci-mediatypes", About::image},
    {"rewrite-timestamp", About::image},
    {"platform-split", About::files},
};

bool takes(OutputType type, About about) {
  const bool is_named = type == OutputType::image;
  const bool is_archive = type == OutputType::oci || type == OutputType::docker;
  const bool is_files = type == OutputType::local || type == OutputType::tar;
  switch (about) {
    case About::any:
      return true;
    case About::destination:
      return is_archive || is_files;
    case About::archive:
      return is_archive;
    case About::registry:
      return is_named;
    case About::name:
    case About::image:
      return is_named || is_archive;
    case About::files:
      return is_files;
  }
  return false;
}

// BuildKit's options that kiln does not have, and what to do instead; `false` is what it does anyway.
const std::map<std::string, std::string, std::less<>> kRefused = {
    {"attestation-inline", "the index refers to its attestations, and no descriptor holds one"},
    {"oci-artifact",
     "attestations in an index have an image's config, which every registry takes; say --attest-as "
     "referrers for artifacts"},
    {"prefer-nondist-layers",
     "foreign layers of a base become layers like others, which registries take; 'kiln copy' keeps them as they are"},
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

struct Field {
  std::string key;      // in lower case
  std::string written;  // as it stands: the key of an annotation keeps its case
  std::string value;
};

std::vector<Field> read_fields(const std::vector<std::string>& texts, std::string_view whole) {
  std::vector<Field> fields;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) {
      throw Error(Category::usage,
                  fmt::format("--output '{}': expected KEY=VALUE, got '{}'", printable(whole), printable(text)));
    }
    const std::string written(trim(text.substr(0, equals)));
    const Field& field = fields.emplace_back(Field{to_lower(written), written, text.substr(equals + 1)});
    const auto is_same = [&](const Field& other) { return other.key == field.key; };
    // Several names are as good as one in quotes; of other options only the last would count.
    if (field.key != "name" && std::count_if(fields.begin(), fields.end(), is_same) > 1)
      throw Error(Category::usage, fmt::format("--output: '{}' is given twice", printable(field.key)));
  }
  return fields;
}

// The word that says the type.
std::string type_of(const std::vector<Field>& fields, std::string_view whole) {
  const auto type = std::find_if(fields.begin(), fields.end(), [](const Field& field) { return field.key == "type"; });
  if (type != fields.end()) return type->value;
  throw Error(Category::usage,
              fmt::format("--output '{}': type is missing; for example type=oci,dest=image.tar", printable(whole)));
}

// Nothing that is asked for is passed over: an option that the type has no use for is refused.
void refuse_foreign_option(std::string_view key, About about, OutputType type, std::string_view type_word) {
  if (takes(type, about)) return;
  std::vector<std::string> types;
  for (const auto& [name, one] : kTypes) {
    if (takes(one, about)) types.push_back(name);
  }
  throw Error(Category::usage, fmt::format("--output type={}: '{}' is an option of {}", printable(type_word),
                                           printable(key), join(types, ", ")));
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
  const std::vector<Field> options = read_fields(fields, text);
  const std::string type_word = type_of(options, text);
  output.type = parse_type(type_word);
  output.push = type_word == "registry";
  std::optional<std::string> kind;
  std::optional<int> level;
  for (const auto& [key, written, value] : options) {
    for (const Option& option : kOptions) {
      if (option.key == key) refuse_foreign_option(key, option.about, output.type, type_word);
    }
    if (key == "type") continue;
    if (key == "dest") {
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
      if (type_word == "registry" && !output.push)
        throw Error(Category::usage, "--output: type=registry pushes; for an image that is not pushed say type=image");
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
    } else if (auto annotation = parse_annotation_option(written, value)) {
      refuse_foreign_option(written, About::image, output.type, type_word);
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
      std::vector<std::string> known;
      for (const Option& option : kOptions) {
        if (takes(output.type, option.about)) known.emplace_back(option.key);
      }
      throw Error(Category::usage,
                  fmt::format("--output: unknown option '{}'{}", printable(key), suggestion(key, known)));
    }
  }
  if (kind || level) output.compression = Compression::parse(kind.value_or("gzip"), level);
  finish(output);
  return output;
}

}  // namespace kiln

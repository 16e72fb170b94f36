#include "builder/definitions/bake_target_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/attribute_lists.hpp"
#include "builder/definitions/hcl_template.hpp"
#include "builder/definitions/refused_attributes.hpp"

namespace kiln {

using nlohmann::json;

namespace {

// One value of a definition, as what its attribute takes.
class ValueReader {
 public:
  explicit ValueReader(const JsonSource& source) : source_(source) {}

  std::string text(const json& value, const std::string& at) const {
    try {
      return template_text(value);
    } catch (const Error& error) {
      source_.fail(at, error.message());
    }
  }
  bool flag(const json& value, const std::string& at) const {
    if (value.is_boolean()) return value.get<bool>();
    if (value == "true" || value == "false") return value == "true";
    source_.fail(at, "expected true or false");
  }
  std::vector<std::string> texts(const json& value, const std::string& at) const {
    if (!value.is_array()) source_.fail(at, "expected a list of texts");
    std::vector<std::string> result;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (!value[i].is_null()) result.push_back(text(value[i], child_pointer(at, i)));
    }
    return result;
  }
  // As in buildx a null leaves the key to what is inherited, and else to the Dockerfile.
  std::map<std::string, std::string> pairs(const json& value, const std::string& at) const {
    if (!value.is_object()) source_.fail(at, "expected an object of texts");
    std::map<std::string, std::string> result;
    for (const auto& [key, member] : value.items()) {
      if (!member.is_null()) result[key] = text(member, child_pointer(at, key));
    }
    return result;
  }
  std::vector<std::string> list(const json& value, const std::string& at, AttributeForm form) const {
    if (form == AttributeForm::plain) return texts(value, at);
    if (!value.is_array()) source_.fail(at, "expected a list");
    std::vector<std::string> result;
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::string item = child_pointer(at, i);
      if (!value[i].is_object()) {
        result.push_back(text(value[i], item));
      } else {
        result.push_back(form == AttributeForm::agents ? agent(value[i], item) : options(value[i], item));
      }
    }
    return result;
  }

 private:
  std::string options(const json& object, const std::string& at) const {
    std::vector<std::pair<std::string, std::string>> options;
    for (const auto& [key, value] : object.items()) {
      if (!value.is_null()) options.emplace_back(key, text(value, child_pointer(at, key)));
    }
    return options_text(options);
  }
  std::string agent(const json& object, const std::string& at) const {
    const std::string id = text(object.value("id", json("default")), at);
    const auto paths = texts(object.value("paths", json::array()), at);
    return paths.empty() ? id : fmt::format("{}={}", id, join(paths, ","));
  }

  const JsonSource& source_;
};

void check_attestations(const JsonSource& source, const json& value, const std::string& at) {
  for (const std::string& one : ValueReader(source).list(value, at, AttributeForm::options)) {
    if (one.find("disabled=true") == std::string::npos)
      source.fail(at, fmt::format("kiln does not honour 'attest': {}", *reason_against("attest")));
  }
}

// What a target asks for is permitted on the command line, as with 'kiln build'.
void check_entitlements(const JsonSource& source, const json& value, const std::string& at) {
  for (const std::string& one : ValueReader(source).texts(value, at)) {
    if (one == "network.host" || one == "security.insecure") continue;
    source.fail(at, fmt::format("kiln does not honour the entitlement '{}': {}", printable(one),
                                *reason_against("entitlements")));
  }
}

// Attributes of which nothing stays in a target's parts.
constexpr std::array<std::string_view, 5> kOthers = {"attest", "entitlements", "inherits", "matrix", "name"};

}  // namespace

void read_attribute(const JsonSource& source, const BakeAttribute& attribute, const json& value,
                    const std::string& pointer, TargetParts& parts) {
  const ValueReader reader(source);
  if (const auto* text = std::get_if<BakeAttribute::Text>(&attribute.member)) {
    parts.*(*text) = reader.text(value, pointer);
  } else if (const auto* flag = std::get_if<BakeAttribute::Flag>(&attribute.member)) {
    parts.*(*flag) = reader.flag(value, pointer);
  } else if (const auto* texts = std::get_if<BakeAttribute::Texts>(&attribute.member)) {
    parts.*(*texts) = reader.list(value, pointer, attribute.form);
  } else {
    parts.*std::get<BakeAttribute::Pairs>(attribute.member) = reader.pairs(value, pointer);
  }
}

BakeTarget read_bake_target(const JsonSource& source, const std::string& name, const json& block,
                            const std::string& pointer) {
  BakeTarget target{name, {}, {}, pointer};
  if (!block.is_object()) source.fail(pointer, fmt::format("target '{}': expected an object", printable(name)));
  const auto& attributes = bake_attributes();
  for (const auto& [key, value] : block.items()) {
    const std::string at = child_pointer(pointer, key);
    if (key == "//" || key == "name" || key == "matrix" || value.is_null()) continue;
    const auto attribute =
        std::find_if(attributes.begin(), attributes.end(), [&key = key](const auto& row) { return row.name == key; });
    if (attribute != attributes.end()) {
      read_attribute(source, *attribute, value, at, target.parts);
    } else if (key == "inherits") {
      target.inherits = ValueReader(source).texts(value, at);
    } else if (key == "attest") {
      check_attestations(source, value, at);
    } else if (key == "entitlements") {
      check_entitlements(source, value, at);
    } else if (const auto reason = reason_against(key)) {
      if (!(value.is_structured() && value.empty()))
        source.fail(at, fmt::format("kiln does not honour '{}': {}", key, *reason));
    } else {
      std::vector<std::string> known(kOthers.begin(), kOthers.end());
      for (const BakeAttribute& row : attributes) known.emplace_back(row.name);
      source.fail(at, fmt::format("unknown attribute '{}' of a target{}", printable(key), suggestion(key, known)));
    }
  }
  return target;
}

}  // namespace kiln

#include "builder/definitions/attribute_reader.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "builder/definitions/attribute_lists.hpp"

namespace kiln {

using nlohmann::json;

namespace {

// One value of a definition, as what its attribute takes.
class ValueReader {
 public:
  explicit ValueReader(const JsonSource& source) : source_(source) {}

  std::string text(const json& value, const std::string& at) const {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_boolean() || value.is_number()) return value.dump();
    source_.fail(at, fmt::format("expected a text, got {}", value.is_null()    ? "null"
                                                            : value.is_array() ? "a list"
                                                                               : "an object"));
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

}  // namespace kiln

#include "builder/definitions/bake_target_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/hcl_template.hpp"
#include "builder/definitions/refused_attributes.hpp"

namespace kiln {

using nlohmann::json;

namespace {

class Reader {
 public:
  Reader(const JsonSource& source, BakeTarget& target) : source_(source), target_(target) {}

  using Read = std::function<void(Reader&, const json&, const std::string&)>;
  static const std::map<std::string, Read>& attributes();

  void read(const json& block) {
    for (const auto& [key, value] : block.items()) {
      const std::string at = child_pointer(target_.pointer, key);
      if (key == "//" || key == "name" || key == "matrix" || value.is_null()) continue;
      if (const auto attribute = attributes().find(key); attribute != attributes().end()) {
        attribute->second(*this, value, at);
        continue;
      }
      const bool is_empty = value.is_structured() && value.empty();
      if (const auto reason = reason_against(key)) {
        if (is_empty) continue;
        source_.fail(at, fmt::format("kiln does not honour '{}': {}", key, *reason));
      }
      std::vector<std::string> known = {"matrix", "name"};
      for (const auto& [name, ignored] : attributes()) known.push_back(name);
      source_.fail(at, fmt::format("unknown attribute '{}' of a target{}", printable(key), suggestion(key, known)));
    }
  }

 private:
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
  void pairs(std::map<std::string, std::string>& into, const json& value, const std::string& at) const {
    if (!value.is_object()) source_.fail(at, "expected an object of texts");
    for (const auto& [key, member] : value.items()) {
      if (!member.is_null()) into[key] = text(member, child_pointer(at, key));
    }
  }
  // "type=registry,ref=..." of an object; a text stays as it is.
  std::vector<std::string> options(const json& value, const std::string& at) const {
    if (!value.is_array()) source_.fail(at, "expected a list");
    std::vector<std::string> result;
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::string item = child_pointer(at, i);
      result.push_back(value[i].is_object() ? option_text(value[i], item) : text(value[i], item));
    }
    return result;
  }
  std::string option_text(const json& object, const std::string& at) const {
    std::vector<std::string> fields;
    for (const auto& [key, value] : object.items()) {
      if (value.is_null()) continue;
      std::string field = fmt::format("{}={}", key, text(value, child_pointer(at, key)));
      if (field.find_first_of(",\"") != std::string::npos) {
        std::string quoted = "\"";
        for (const char c : field) quoted += c == '"' ? "\"\"" : std::string(1, c);
        field = quoted + "\"";
      }
      fields.insert(key == "type" ? fields.begin() : fields.end(), std::move(field));
    }
    return join(fields, ",");
  }
  std::vector<std::string> ssh(const json& value, const std::string& at) const {
    if (!value.is_array()) source_.fail(at, "expected a list");
    std::vector<std::string> result;
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::string item = child_pointer(at, i);
      if (!value[i].is_object()) {
        result.push_back(text(value[i], item));
        continue;
      }
      std::string key = text(value[i].value("id", json("default")), item);
      const auto paths = texts(value[i].value("paths", json::array()), item);
      result.push_back(paths.empty() ? key : fmt::format("{}={}", key, join(paths, ",")));
    }
    return result;
  }
  void attest(const json& value, const std::string& at) const {
    for (const std::string& one : options(value, at)) {
      if (one.find("disabled=true") == std::string::npos) {
        source_.fail(at, fmt::format("kiln does not honour 'attest': {}", *reason_against("attest")));
      }
    }
  }
  void entitlements(const json& value, const std::string& at) const {
    for (const std::string& one : texts(value, at)) {
      if (one == "network.host") continue;
      source_.fail(at, fmt::format("kiln does not honour the entitlement '{}': {}", printable(one),
                                   *reason_against("entitlements")));
    }
  }

  const JsonSource& source_;
  BakeTarget& target_;
};

const std::map<std::string, Reader::Read>& Reader::attributes() {
  using R = Reader&;
  using J = const json&;
  using S = const std::string&;
  static const std::map<std::string, Read> table = {
      {"args", [](R r, J v, S at) { r.pairs(r.target_.parts.args, v, at); }},
      {"attest", [](R r, J v, S at) { r.attest(v, at); }},
      {"cache-from", [](R r, J v, S at) { r.target_.parts.cache_from = r.options(v, at); }},
      {"cache-to", [](R r, J v, S at) { r.target_.parts.cache_to = r.options(v, at); }},
      {"context", [](R r, J v, S at) { r.target_.parts.context = r.text(v, at); }},
      {"contexts", [](R r, J v, S at) { r.pairs(r.target_.parts.contexts, v, at); }},
      {"description", [](R r, J v, S at) { r.target_.parts.description = r.text(v, at); }},
      {"dockerfile", [](R r, J v, S at) { r.target_.parts.dockerfile = r.text(v, at); }},
      {"dockerfile-inline", [](R r, J v, S at) { r.target_.parts.dockerfile_inline = r.text(v, at); }},
      {"entitlements", [](R r, J v, S at) { r.entitlements(v, at); }},
      {"inherits", [](R r, J v, S at) { r.target_.inherits = r.texts(v, at); }},
      {"labels", [](R r, J v, S at) { r.pairs(r.target_.parts.labels, v, at); }},
      {"network", [](R r, J v, S at) { r.target_.parts.network = r.text(v, at); }},
      {"no-cache", [](R r, J v, S at) { r.target_.parts.no_cache = r.flag(v, at); }},
      {"no-cache-filter", [](R r, J v, S at) { r.target_.parts.no_cache_stages = r.texts(v, at); }},
      {"output", [](R r, J v, S at) { r.target_.parts.outputs = r.options(v, at); }},
      {"platforms", [](R r, J v, S at) { r.target_.parts.platforms = r.texts(v, at); }},
      {"pull", [](R r, J v, S at) { r.target_.parts.pull = r.flag(v, at); }},
      {"secret", [](R r, J v, S at) { r.target_.parts.secrets = r.options(v, at); }},
      {"ssh", [](R r, J v, S at) { r.target_.parts.ssh = r.ssh(v, at); }},
      {"tags", [](R r, J v, S at) { r.target_.parts.tags = r.texts(v, at); }},
      {"target", [](R r, J v, S at) { r.target_.parts.stage = r.text(v, at); }},
  };
  return table;
}

}  // namespace

BakeTarget read_bake_target(const JsonSource& source, const std::string& name, const json& block,
                            const std::string& pointer) {
  BakeTarget target{name, {}, {}, pointer};
  if (!block.is_object()) source.fail(pointer, fmt::format("target '{}': expected an object", printable(name)));
  Reader(source, target).read(block);
  return target;
}

}  // namespace kiln

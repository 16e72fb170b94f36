#include "registry/remote/docker_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <span>

#include "base/json.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

using nlohmann::json;

constexpr std::string_view kLoginTexts[] = {"username",      "password",      "auth",
                                            "serveraddress", "identitytoken", "registrytoken"};
constexpr std::string_view kProxyTexts[] = {"httpProxy", "httpsProxy", "noProxy", "ftpProxy", "allProxy"};
constexpr std::string_view kAnswerTexts[] = {"ServerURL", "Username", "Secret"};

// A member of the file that holds objects or texts by names of the user's own.
struct NamedMembers {
  std::string_view name;
  std::span<const std::string_view> texts;  // of each object; empty where they are texts
};
const NamedMembers kNamedMembers[] = {
    {"auths", kLoginTexts}, {"proxies", kProxyTexts}, {"credHelpers", {}}, {"HttpHeaders", {}}};

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::any_of(names.begin(), names.end(), [&](auto known) { return equals_ignoring_case(name, known); });
}

void expect_type(const json& value, json::value_t type, const std::string& source, std::string_view place) {
  if (value.is_null() || value.type() == type) return;
  const std::string_view got = value.type_name();
  throw Error(Category::machine, fmt::format("'{}': '{}': expected {}, got {} {}; correct it, or take it out", source,
                                             printable(place), type == json::value_t::string ? "a string" : "an object",
                                             got == "object" || got == "array" ? "an" : "a", got));
}

void expect_texts(const json& object, std::span<const std::string_view> names, const std::string& source,
                  const std::string& place) {
  expect_type(object, json::value_t::object, source, place);
  if (!object.is_object()) return;
  for (const auto& [key, value] : object.items()) {
    if (names.empty() || is_one_of(key, names)) expect_type(value, json::value_t::string, source, place + "." + key);
  }
}

void refuse_wrong_types(const json& document, const std::string& source) {
  for (const auto& [key, value] : document.items()) {
    if (equals_ignoring_case(key, "credsStore")) expect_type(value, json::value_t::string, source, key);
    const auto named =
        std::find_if(std::begin(kNamedMembers), std::end(kNamedMembers),
                     [&, &name = key](const auto& known) { return equals_ignoring_case(name, known.name); });
    if (named == std::end(kNamedMembers)) continue;
    if (named->texts.empty()) {
      expect_texts(value, {}, source, key);
      continue;
    }
    expect_type(value, json::value_t::object, source, key);
    if (!value.is_object()) continue;
    for (const auto& [name, entry] : value.items()) expect_texts(entry, named->texts, source, key + "." + name);
  }
}

}  // namespace

json parse_docker_config(const std::string& text, const std::string& source) {
  json lists;
  std::string name;
  const auto join_lists = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth == 1 && event == json::parse_event_t::key) name = to_lower(parsed.get<std::string>());
    if (depth == 1 && event == json::parse_event_t::object_end) lists[name].update(parsed);
    return true;
  };
  json document = json::parse(text, join_lists, false);
  if (document.is_discarded()) document = parse_json(text, "'" + source + "'", Category::machine);
  if (document.is_null()) return json::object();
  if (!document.is_object()) throw Error(Category::machine, fmt::format("'{}' is no JSON object", source));
  for (auto& [key, value] : document.items()) {
    if (value.is_object() && lists.contains(to_lower(key))) value = lists[to_lower(key)];
  }
  refuse_wrong_types(document, source);
  return document;
}

const json& docker_member(const json& object, std::string_view name) {
  static const json kNone;
  if (!object.is_object()) return kNone;
  const auto exact = object.find(name);
  if (exact != object.end()) return *exact;
  for (const auto& [key, value] : object.items()) {
    if (equals_ignoring_case(key, name)) return value;
  }
  return kNone;
}

std::string docker_text(const json& object, std::string_view name) {
  const json& found = docker_member(object, name);
  return found.is_string() ? found.get<std::string>() : "";
}

json parse_helper_answer(const std::string& text, const std::string& source) {
  json answer = parse_json(text, source, Category::machine);
  if (!answer.is_object()) throw Error(Category::machine, source + " is no JSON object");
  for (const auto& [key, value] : answer.items()) {
    if (!is_one_of(key, kAnswerTexts) || value.is_string() || value.is_null()) continue;
    throw Error(Category::machine,
                fmt::format("{}: '{}': expected a string, got {}", source, printable(key), value.type_name()));
  }
  return answer;
}

}  // namespace kiln

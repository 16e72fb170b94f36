#include "builder/definitions/overrides.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/attribute_lists.hpp"
#include "builder/definitions/refused_attributes.hpp"
#include "builder/definitions/select.hpp"

namespace kiln {

namespace {

// push and load add an output or take it away.
bool is_output_switch(std::string_view key) { return key == "push" || key == "load"; }

// nullptr: push or load.
const BakeAttribute* attribute_of(const std::string& key, std::string_view text) {
  if (is_output_switch(key)) return nullptr;
  if (const BakeAttribute* attribute = find_set_key(key)) return attribute;
  if (const auto reason = reason_against(key)) {
    throw Error(Category::usage,
                fmt::format("--set '{}': kiln does not honour '{}': {}", printable(text), key, *reason));
  }
  std::vector<std::string> known = {"load", "push"};
  for (const BakeAttribute& attribute : bake_attributes()) {
    if (!attribute.set_key.empty()) known.emplace_back(attribute.set_key);
  }
  throw Error(Category::usage,
              fmt::format("--set '{}': unknown key '{}'{}", printable(text), printable(key), suggestion(key, known)));
}

template <class Member>
const Member* member_of(const BakeAttribute* attribute) {
  return attribute ? std::get_if<Member>(&attribute->member) : nullptr;
}

// The words that Go's strconv.ParseBool takes.
bool parse_bool(const Override& override) {
  static const std::set<std::string> yes = {"1", "t", "T", "TRUE", "true", "True"};
  static const std::set<std::string> no = {"0", "f", "F", "FALSE", "false", "False"};
  if (yes.contains(override.value)) return true;
  if (no.contains(override.value)) return false;
  throw Error(Category::usage, fmt::format("--set '{}': expected true or false, got '{}'", printable(override.text),
                                           printable(override.value)));
}

void override_output(TargetParts& parts, const Override& override) {
  const std::string type = override.key == "push" ? "type=registry" : "type=docker";
  const bool is_wanted = parse_bool(override);
  if (!parts.outputs) parts.outputs.emplace();
  auto& outputs = *parts.outputs;
  outputs.erase(std::remove(outputs.begin(), outputs.end(), type), outputs.end());
  if (is_wanted) outputs.push_back(type);
}

bool is_for(const Override& override, const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return override.pattern == name || matches_glob(override.pattern, name);
  });
}

}  // namespace

std::optional<Override> parse_override(std::string_view text, const EnvironmentLookup& environment) {
  const std::size_t equals = text.find('=');
  std::string_view path = text.substr(0, equals);
  Override override;
  override.text = text;
  if (path.ends_with('+')) {
    override.appends = true;
    path.remove_suffix(1);
  }
  const std::size_t dot = path.find('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == path.size()) {
    throw Error(Category::usage, fmt::format("--set '{}': expected TARGET.KEY=VALUE", printable(text)));
  }
  override.pattern = path.substr(0, dot);
  const std::string_view rest = path.substr(dot + 1);
  const std::size_t second = rest.find('.');
  override.key = rest.substr(0, second);
  if (second != std::string_view::npos) override.name = rest.substr(second + 1);

  const BakeAttribute* attribute = attribute_of(override.key, text);
  if (attribute) override.key = attribute->set_key;
  const bool has_names = member_of<BakeAttribute::Pairs>(attribute) != nullptr;
  if (has_names && override.name.empty()) {
    throw Error(Category::usage, fmt::format("--set '{}': expected {}.{}.NAME=VALUE", printable(text),
                                             printable(override.pattern), override.key));
  }
  if (!has_names && !override.name.empty()) {
    throw Error(Category::usage, fmt::format("--set '{}': '{}' takes no name; expected {}.{}=VALUE", printable(text),
                                             override.key, printable(override.pattern), override.key));
  }
  if (override.appends && !member_of<BakeAttribute::Texts>(attribute)) {
    throw Error(Category::usage,
                fmt::format("--set '{}': '{}' is no list, so '+=' adds nothing to it", printable(text), override.key));
  }
  if (equals != std::string_view::npos) {
    override.value = text.substr(equals + 1);
    return override;
  }
  if (override.key != "args") {
    throw Error(Category::usage,
                fmt::format("--set '{}' has no value; expected {}=VALUE", printable(text), printable(path)));
  }
  const auto value = environment(override.name);
  if (!value) return std::nullopt;
  override.value = *value;
  return override;
}

void check_override_patterns(const std::vector<Override>& overrides, const std::vector<std::string>& names) {
  for (const Override& override : overrides) {
    if (is_for(override, names)) continue;
    throw Error(Category::usage, fmt::format("--set '{}': no target matches '{}'{}", printable(override.text),
                                             printable(override.pattern), suggestion(override.pattern, names)));
  }
}

void override_parts(TargetParts& parts, const std::vector<std::string>& names, const std::vector<Override>& overrides) {
  std::set<std::string> replaced;
  for (const Override& override : overrides) {
    if (!is_for(override, names)) continue;
    const BakeAttribute* attribute = attribute_of(override.key, override.text);
    if (const auto* pairs = member_of<BakeAttribute::Pairs>(attribute)) {
      (parts.*(*pairs))[override.name] = override.value;
    } else if (const auto* text = member_of<BakeAttribute::Text>(attribute)) {
      parts.*(*text) = override.value;
    } else if (const auto* flag = member_of<BakeAttribute::Flag>(attribute)) {
      parts.*(*flag) = parse_bool(override);
    } else if (const auto* texts = member_of<BakeAttribute::Texts>(attribute)) {
      auto& list = parts.*(*texts);
      if (!list || (!override.appends && replaced.insert(override.key).second)) list.emplace();
      list->push_back(override.value);
    } else {
      override_output(parts, override);
    }
  }
}

void override_targets(std::vector<TargetSpec>& targets, const std::vector<Override>& overrides,
                      const fs::path& working_directory) {
  std::vector<std::string> names;
  for (const TargetSpec& target : targets) {
    names.push_back(target.name);
    names.push_back(target.image);
  }
  check_override_patterns(overrides, names);
  for (TargetSpec& target : targets) {
    TargetParts parts;
    for (const Override& override : overrides) {
      if (!is_for(override, {target.name, target.image})) continue;
      const BakeAttribute* attribute = attribute_of(override.key, override.text);
      if (!attribute) attribute = find_set_key("output");
      if (override.key == "tags" && !override.appends) target.tag_templates.clear();
      if (!attribute->is_said(parts)) adopt_list(*attribute, target, parts, working_directory);
    }
    override_parts(parts, {target.name, target.image}, overrides);
    parts.apply_to(target, working_directory);
  }
}

}  // namespace kiln

#include "builder/definitions/overrides.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/refused_attributes.hpp"
#include "builder/definitions/select.hpp"

namespace kiln {

namespace {

using Text = std::optional<std::string> TargetParts::*;
using Flag = std::optional<bool> TargetParts::*;
using Texts = std::optional<std::vector<std::string>> TargetParts::*;
using Pairs = std::map<std::string, std::string> TargetParts::*;

// The keys of --set, as buildx names them. push and load are done by output_key().
struct Key {
  std::string_view name;
  Text text = nullptr;
  Flag flag = nullptr;
  Texts texts = nullptr;
  Pairs pairs = nullptr;
};

const std::vector<Key>& keys() {
  static const std::vector<Key> table = {
      {.name = "args", .pairs = &TargetParts::args},
      {.name = "cache-from", .texts = &TargetParts::cache_from},
      {.name = "cache-to", .texts = &TargetParts::cache_to},
      {.name = "context", .text = &TargetParts::context},
      {.name = "contexts", .pairs = &TargetParts::contexts},
      {.name = "dockerfile", .text = &TargetParts::dockerfile},
      {.name = "labels", .pairs = &TargetParts::labels},
      {.name = "load"},
      {.name = "network", .text = &TargetParts::network},
      {.name = "no-cache", .flag = &TargetParts::no_cache},
      {.name = "no-cache-filter", .texts = &TargetParts::no_cache_stages},
      {.name = "output", .texts = &TargetParts::outputs},
      {.name = "platform", .texts = &TargetParts::platforms},
      {.name = "pull", .flag = &TargetParts::pull},
      {.name = "push"},
      {.name = "secrets", .texts = &TargetParts::secrets},
      {.name = "ssh", .texts = &TargetParts::ssh},
      {.name = "tags", .texts = &TargetParts::tags},
      {.name = "target", .text = &TargetParts::stage},
  };
  return table;
}

const Key& key_of(const std::string& name, std::string_view text) {
  const auto at = std::find_if(keys().begin(), keys().end(), [&](const Key& key) { return key.name == name; });
  if (at != keys().end()) return *at;
  if (const auto reason = reason_against(name)) {
    throw Error(Category::usage,
                fmt::format("--set '{}': kiln does not honour '{}': {}", printable(text), name, *reason));
  }
  std::vector<std::string> known;
  for (const Key& key : keys()) known.emplace_back(key.name);
  throw Error(Category::usage,
              fmt::format("--set '{}': unknown key '{}'{}", printable(text), printable(name), suggestion(name, known)));
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

// push and load stand for outputs: they add the one that is meant, or take it away.
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

  const Key& key = key_of(override.key, text);
  if (key.pairs != nullptr && override.name.empty()) {
    throw Error(Category::usage, fmt::format("--set '{}': expected {}.{}.NAME=VALUE", printable(text),
                                             printable(override.pattern), override.key));
  }
  if (key.pairs == nullptr && !override.name.empty()) {
    throw Error(Category::usage, fmt::format("--set '{}': '{}' takes no name; expected {}.{}=VALUE", printable(text),
                                             override.key, printable(override.pattern), override.key));
  }
  if (override.appends && key.texts == nullptr) {
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
    const Key& key = key_of(override.key, override.text);
    if (key.pairs != nullptr) {
      (parts.*key.pairs)[override.name] = override.value;
    } else if (key.text != nullptr) {
      parts.*key.text = override.value;
    } else if (key.flag != nullptr) {
      parts.*key.flag = parse_bool(override);
    } else if (key.texts != nullptr) {
      auto& list = parts.*key.texts;
      if (!list || (!override.appends && replaced.insert(override.key).second)) list.emplace();
      list->push_back(override.value);
    } else {
      override_output(parts, override);
    }
  }
}

void override_targets(std::vector<Target>& targets, const std::vector<Override>& overrides,
                      const fs::path& working_directory) {
  std::vector<std::string> names;
  for (const Target& target : targets) {
    names.push_back(target.name);
    names.push_back(target.image);
  }
  check_override_patterns(overrides, names);
  for (Target& target : targets) {
    // Lists that '+=' adds to; secrets and keys of definitions stay in their own form and are only added to.
    TargetParts parts;
    parts.tags = target.tags;
    parts.outputs = target.outputs;
    parts.cache_from = target.cache_from;
    parts.cache_to = target.cache_to;
    parts.no_cache_stages = target.no_cache_stages;
    parts.platforms.emplace();
    for (const oci::Platform& platform : target.platforms) parts.platforms->push_back(platform.str());
    override_parts(parts, {target.name, target.image}, overrides);

    bool replaces_tags = false, keeps_secrets = true, keeps_ssh = true;
    for (const Override& override : overrides) {
      if (!is_for(override, {target.name, target.image}) || override.appends) continue;
      replaces_tags = replaces_tags || override.key == "tags";
      keeps_secrets = keeps_secrets && override.key != "secrets";
      keeps_ssh = keeps_ssh && override.key != "ssh";
    }
    if (replaces_tags) target.tag_templates.clear();
    const std::vector<TargetSecret> secrets = target.secrets;
    const std::vector<TargetSsh> ssh = target.ssh;
    parts.apply_to(target, working_directory);
    if (parts.secrets && keeps_secrets) target.secrets.insert(target.secrets.begin(), secrets.begin(), secrets.end());
    if (parts.ssh && keeps_ssh) target.ssh.insert(target.ssh.begin(), ssh.begin(), ssh.end());
  }
}

}  // namespace kiln

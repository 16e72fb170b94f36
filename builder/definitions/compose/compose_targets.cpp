#include "builder/definitions/compose/compose_targets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>

#include "base/near_hint.hpp"
#include "base/paths.hpp"
#include "base/text.hpp"
#include "builder/definitions/bake/context_paths.hpp"
#include "builder/definitions/compose/build_checks.hpp"
#include "builder/definitions/compose/service_environment.hpp"
#include "builder/definitions/hcl/convert.hpp"

namespace kiln::compose {

namespace {

using hcl::Type;
using hcl::Value;

Value texts(std::vector<std::string> values) {
  Value::Items items;
  for (std::string& value : values) items.push_back(Value::of(std::move(value)));
  return Value::list(Type::string(), std::move(items));
}

std::vector<std::string> list_of(const Node& node) {
  std::vector<std::string> result;
  for (const Node& item : node.items) {
    if (item.is_scalar()) result.push_back(text_of_scalar(item));
  }
  return result;
}

// A list of x-bake: a list, or words behind one another.
std::vector<std::string> words_of(const Node& node) {
  if (node.is_sequence()) return list_of(node);
  std::vector<std::string> result;
  for (const std::string_view part : split(node.text, ' ')) {
    if (!trim(part).empty()) result.emplace_back(trim(part));
  }
  return result;
}

Value map_of(const KeyValues& pairs, const char* otherwise) {
  Value::Members members;
  for (const auto& [key, value] : pairs) {
    if (value || otherwise != nullptr) members[key] = Value::of(value ? *value : std::string(otherwise));
  }
  return Value::map(Type::string(), std::move(members));
}

// "128m" as docker shows a size: "128MiB".
std::string shown_size(const std::string& text) {
  std::string digits, unit;
  for (const char c : to_lower(text)) {
    if ((c >= '0' && c <= '9') || c == '.') {
      digits += c;
    } else if (c != ' ') {
      unit += c;
    }
  }
  static const std::map<std::string, int> kPowers = {{"", 0},   {"b", 0},   {"k", 1}, {"kb", 1}, {"kib", 1}, {"m", 2},
                                                     {"mb", 2}, {"mib", 2}, {"g", 3}, {"gb", 3}, {"gib", 3}, {"t", 4},
                                                     {"tb", 4}, {"tib", 4}, {"p", 5}, {"pb", 5}, {"pib", 5}};
  const auto power = kPowers.find(unit);
  const auto number = hcl::Number::parse(digits);
  if (power == kPowers.end() || !number) {
    throw hcl::ValueError(fmt::format("shm_size '{}' is not valid; expected a size such as 64m", printable(text)));
  }
  double size = std::floor(number->to_double() * std::pow(1024.0, power->second));
  static constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t index = 0;
  for (; size >= 1024 && index + 1 < std::size(kUnits); ++index) size /= 1024;
  return fmt::format("{:.4g}{}", size, kUnits[index]);
}

std::string linked_context(const std::string& value) {
  if (!value.starts_with("service:") && !value.starts_with("target:")) return value;
  std::string name = value.substr(value.find(':') + 1);
  std::replace(name.begin(), name.end(), '.', '_');
  return "target:" + name;
}

class ServiceReader {
 public:
  ServiceReader(const Node& model, const ComposeOptions& options, const Lookup& variables)
      : model_(model), options_(options), variables_(variables) {}

  // Error{usage} with the place of what is wrong.
  bake::AttributeValues read(const std::string& name, const Node& service) {
    at_ = service.find("build")->place;
    try {
      return values_of(name, service);
    } catch (const hcl::ValueError& error) {
      fail_service(name, at_, error.what());
    }
  }
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }

 private:
  bake::AttributeValues values_of(const std::string& service_name, const Node& service) {
    const Node& given = *service.find("build");
    Node build = given;
    if (given.is_scalar()) {
      build = Node();
      build.kind = Node::Kind::mapping;
      build.set("context", given);
      build.place = given.place;
    }
    check_build(service_name, build);
    values_.clear();
    for (const auto& [name, attribute] : {std::pair{"context", "context"},
                                          {"dockerfile", "dockerfile"},
                                          {"dockerfile_inline", "dockerfile-inline"},
                                          {"target", "target"},
                                          {"network", "network"}}) {
      const Node* node = find(build, name);
      if (node != nullptr && node->is_scalar() && !node->text.empty()) set(attribute, Value::of(text_of_scalar(*node)));
    }
    if (const auto context = values_.find("context"); context != values_.end())
      context->second = Value::of(in_home(context->second.text(), options_));
    for (const auto& [name, attribute] : {std::pair{"tags", "tags"},
                                          {"platforms", "platforms"},
                                          {"cache_from", "cache-from"},
                                          {"cache_to", "cache-to"}}) {
      const Node* node = find(build, name);
      if (node != nullptr && !node->is_null()) set(attribute, texts(list_of(*node)));
    }
    if (values_.contains("dockerfile") && values_.contains("dockerfile-inline")) {
      at_ = build.find("dockerfile_inline")->key_place;
      throw hcl::ValueError("'build.dockerfile' and 'build.dockerfile_inline' exclude one another");
    }
    for (const auto& [name, attribute] : {std::pair{"no_cache", "no-cache"}, {"pull", "pull"}}) {
      if (const Node* node = find(build, name); node != nullptr && is_true(*node)) set(attribute, Value::of(true));
    }
    if (const Node* node = find(build, "args")) set_args(*node, service);
    if (const Node* node = find(build, "labels")) set("labels", map_of(key_values(*node), ""));
    if (const Node* node = find(build, "additional_contexts")) set_contexts(*node);
    if (const Node* node = find(build, "shm_size"); node != nullptr && node->is_scalar()) {
      set("shm-size", Value::of(shown_size(node->text)));
    }
    if (const Node* node = find(build, "ulimits")) set_ulimits(*node);
    if (const Node* node = find(build, "extra_hosts")) set_extra_hosts(*node);
    if (const Node* node = find(build, "ssh")) set_ssh(*node);
    if (const Node* node = find(build, "secrets")) set_secrets(*node);
    set_attestations(build);
    if (const Node* node = find(build, "x-bake")) set_extension(*node);
    const Node* image = find(service, "image");
    const auto tags = values_.find("tags");
    if ((tags == values_.end() || tags->second.size() == 0) && image != nullptr && image->is_scalar()) {
      set("tags", texts({text_of_scalar(*image)}));
    }
    return values_;
  }

  // A member, which what is refused from now on is about.
  const Node* find(const Node& node, std::string_view key) {
    const Node* found = node.find(key);
    if (found != nullptr) at_ = found->place;
    return found;
  }

  void set(std::string_view name, const Value& value) {
    auto read = bake::read_attribute(*bake::find_attribute(name), value);
    if (read) values_.insert_or_assign(std::string(name), *std::move(read));
  }

  // Behind what is there.
  void append(std::string_view name, const Value& value) {
    bake::AttributeValues over;
    over.emplace(name, *bake::read_attribute(*bake::find_attribute(name), value));
    const auto below = values_.find(name);
    if (below == values_.end()) {
      values_.insert(over.begin(), over.end());
      return;
    }
    Value::Items items = below->second.items();
    const Value& added = over.begin()->second;
    items.insert(items.end(), added.items().begin(), added.items().end());
    below->second = added.kind() == Type::Kind::list ? Value::list(Type::string(), std::move(items))
                                                     : Value::tuple(std::move(items));
    bake::normalise(values_);
  }

  void set_args(const Node& node, const Node& service) {
    KeyValues args = key_values(node);
    for (const auto& [name, value] : args) {
      if (name.ends_with(' '))
        throw hcl::ValueError(fmt::format("the name of the argument '{}' ends with a space", printable(name)));
    }
    std::optional<ServiceEnvironment> environment;  // read where an argument needs it
    for (auto& [name, value] : args) {
      if (value) continue;
      if (!environment) environment = service_environment(service, options_, variables_);
      const auto own = environment->values.find(name);
      value = own != environment->values.end() && own->second ? own->second : variables_(name);
      if (!value && environment->missing_file) {
        throw hcl::ValueError(fmt::format("the argument '{}' has no value, and the env_file '{}' is not there",
                                          printable(name), printable(*environment->missing_file)));
      }
    }
    set("args", map_of(args, nullptr));
  }

  void set_contexts(const Node& node) {
    Value::Members members;
    for (const auto& [name, value] : key_values(node)) {
      const std::string text = linked_context(value.value_or(""));
      const bool stays = text.empty() || text.find("://") != std::string::npos || text.starts_with("target:") ||
                         bake::is_remote_context(text);
      members[name] = Value::of(stays ? text : clean_path(in_home(text, options_)));
    }
    set("contexts", Value::map(Type::string(), std::move(members)));
  }

  void set_ulimits(const Node& node) {
    std::vector<std::string> limits;
    for (const auto& [name, value] : node.members) {
      const Node* soft = value.is_mapping() ? value.find("soft") : &value;
      const Node* hard = value.is_mapping() ? value.find("hard") : &value;
      if (soft == nullptr || hard == nullptr) continue;
      limits.push_back(fmt::format("{}={}:{}", name, text_of_scalar(*soft), text_of_scalar(*hard)));
    }
    std::sort(limits.begin(), limits.end());
    set("ulimits", texts(std::move(limits)));
  }

  void set_extra_hosts(const Node& node) {
    KeyValues hosts;
    const auto add = [&](const std::string& host, std::string address) {
      if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
      auto& known = hosts[host];
      known = known ? *known + "," + address : address;
    };
    for (const auto& [host, addresses] : node.members) {
      if (addresses.is_scalar()) add(host, addresses.text);
      for (const Node& address : addresses.items) add(host, address.text);
    }
    for (const Node& item : node.items) {
      const std::size_t separator = item.text.find_first_of("=:");
      if (separator != std::string::npos) add(item.text.substr(0, separator), item.text.substr(separator + 1));
    }
    set("extra-hosts", map_of(hosts, nullptr));
  }

  // A path of this machine. As in Compose an absolute one stays as it is written.
  std::string own_path(const std::string& text) const {
    const std::string path = in_home(text, options_);
    return path.empty() || path.starts_with('/') ? path : clean_path(path);
  }

  void set_ssh(const Node& node) {
    std::vector<std::string> agents;
    for (const auto& [id, path] : key_values(node))
      agents.push_back(path ? fmt::format("{}={}", id, own_path(*path)) : id);
    std::sort(agents.begin(), agents.end());
    set("ssh", texts(std::move(agents)));
  }

  [[noreturn]] static void refuse_unknown_secret(const std::string& secret, const Node* known) {
    std::vector<std::string> names;
    if (known != nullptr) {
      for (const auto& [name, ignored] : known->members) names.push_back(name);
    }
    throw hcl::ValueError(fmt::format("unknown secret '{}'{}", printable(secret), suggestion(secret, names)));
  }

  void set_secrets(const Node& node) {
    Value::Items secrets;
    const Node* known = model_.find("secrets");
    for (const Node& item : node.items) {
      const Node* source = item.is_mapping() ? item.find("source") : &item;
      if (source == nullptr) continue;
      at_ = source->place;
      Value::Members secret = {{"id", Value::of(source->text)}};
      const Node* declared = known == nullptr ? nullptr : known->find(source->text);
      if (declared == nullptr) refuse_unknown_secret(source->text, known);
      const Node* external = declared->find("external");
      if (external != nullptr && (is_true(*external) || external->is_mapping())) {
        throw hcl::ValueError(
            fmt::format("the secret '{}' is external: a build needs a file or a variable", printable(source->text)));
      }
      if (const Node* file = declared->find("file")) {
        secret["src"] = Value::of(own_path(file->text));
      }
      if (const Node* variable = declared->find("environment")) secret["env"] = Value::of(variable->text);
      if (secret.size() == 1) {
        throw hcl::ValueError(
            fmt::format("the secret '{}' has neither 'file' nor 'environment'", printable(source->text)));
      }
      secrets.push_back(Value::object(std::move(secret)));
    }
    set("secret", Value::tuple(std::move(secrets)));
  }

  void set_attestations(const Node& build) {
    std::vector<std::string> attestations;
    for (const char* type : {"sbom", "provenance"}) {
      const Node* node = find(build, type);
      if (node == nullptr || !node->is_scalar() || node->text.empty()) continue;
      const std::string word = to_lower(node->text);
      const bool is_bool = word == "true" || word == "false" || word == "1" || word == "0";
      attestations.push_back(is_bool ? fmt::format("type={},disabled={}", type, is_true(*node) ? "false" : "true")
                                     : fmt::format("type={},{}", type, node->text));
    }
    if (!attestations.empty()) set("attest", texts(std::move(attestations)));
  }

  // As in buildx what is none of its keys counts for nothing, and a misspelt word is told.
  void warn_of_unknown_keys(const Node& extension) {
    static const std::vector<std::string> kExtensionKeys = {"cache-from",      "cache-to", "contexts",  "no-cache",
                                                            "no-cache-filter", "output",   "platforms", "pull",
                                                            "secret",          "ssh",      "tags"};
    for (const auto& [key, value] : extension.members) {
      if (std::find(kExtensionKeys.begin(), kExtensionKeys.end(), key) != kExtensionKeys.end()) continue;
      warnings_.push_back(fmt::format("{}: '{}' is no key of x-bake and is left out{}", value.key_place.str(),
                                      printable(key), near_hint(key, kExtensionKeys)));
    }
  }

  void set_extension(const Node& node) {
    warn_of_unknown_keys(node);
    for (const char* name :
         {"tags", "cache-from", "cache-to", "secret", "ssh", "platforms", "output", "no-cache-filter"}) {
      const Node* said = find(node, name);
      if (said == nullptr || said->is_null()) continue;
      if (auto words = words_of(*said); !words.empty()) append(name, texts(std::move(words)));
    }
    for (const char* name : {"pull", "no-cache"}) {
      const Node* said = find(node, name);
      if (said != nullptr && said->is_scalar()) set(name, Value::of(is_true(*said)));
    }
    if (const Node* contexts = find(node, "contexts"); contexts != nullptr && contexts->is_mapping()) {
      Value::Members members;
      for (const auto& [name, value] : contexts->members) members[name] = Value::of(linked_context(value.text));
      // Unlike elsewhere what `additional_contexts` says stays.
      if (const auto known = values_.find("contexts"); known != values_.end()) {
        for (const auto& [name, value] : known->second.members()) members[name] = value;
      }
      set("contexts", Value::map(Type::string(), std::move(members)));
    }
  }

  const Node& model_;
  const ComposeOptions& options_;
  const Lookup& variables_;
  std::vector<std::string> warnings_;
  bake::AttributeValues values_;
  hcl::Place at_;  // what is read
};

}  // namespace

void add_compose_targets(std::vector<ComposeFile> files, const ComposeOptions& options, bake::BakeConfig& config) {
  const Lookup variables = project_variables(options, files);
  std::set<std::string> unset;
  const Model model = load_model(std::move(files), options, variables, &unset);
  const Node* services = model.root.find("services");
  if (services == nullptr || services->members.empty()) return;
  config.sources.insert(config.sources.end(), model.sources.begin(), model.sources.end());
  bake::BakeGroup group{"default", "", {}, {}};
  ServiceReader reader(model.root, options, variables);
  std::unordered_map<std::string, std::size_t> places;  // of targets
  for (std::size_t i = 0; i < config.targets.size(); ++i) places.emplace(config.targets[i].name, i);
  for (const auto& [service_name, service] : services->members) {
    const Node* build = service.is_mapping() ? service.find("build") : nullptr;
    if (build == nullptr) continue;
    std::string name = service_name;
    std::replace(name.begin(), name.end(), '.', '_');
    if (!bake::is_target_name(name)) {
      hcl::fail(service.key_place,
                fmt::format("'{}' is no valid name of a target; expected letters, digits, '-', '_' and '.'",
                            printable(service_name)));
    }
    bake::BakeTarget target{name, {}, reader.read(service_name, service), build->place};
    // "a.b" and "a_b" are one target.
    const auto [known, is_new] = places.try_emplace(name, config.targets.size());
    if (!is_new) {
      config.targets[known->second].merge(target);
      continue;
    }
    config.targets.push_back(std::move(target));
    group.targets.push_back(name);
  }
  config.warnings.insert(config.warnings.end(), reader.warnings().begin(), reader.warnings().end());
  group.has_no_list = group.targets.empty();
  config.groups.push_back(std::move(group));
  // Files that are looked at and not built are read without the environment.
  if (options.needed_value) return;
  for (const std::string& name : unset)
    config.warnings.push_back(fmt::format("the variable '{}' is not set, and counts as empty", printable(name)));
}

}  // namespace kiln::compose

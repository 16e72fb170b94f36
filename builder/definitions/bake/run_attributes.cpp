#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/bake/attribute_members.hpp"
#include "builder/definitions/own_secrets.hpp"
#include "builder/definitions/run_limit.hpp"
#include "builder/definitions/target_words.hpp"

namespace kiln::bake {

namespace {

void apply_secrets(const Value& value, TargetSpec& target, const AttributeFolders& folders) {
  target.secrets.clear();
  for (const Value& entry : value.items()) {
    SecretSource& secret = target.secrets.emplace_back(parse_secret(text_of_entry(EntryKind::secret, entry)));
    if (const auto own = own_secret_of(secret)) {
      throw Error(Category::usage,
                  fmt::format("target '{}': secret '{}': kiln has the variable '{}' from the environment for itself",
                              printable(target.name), printable(secret.id), *own));
    }
    if (secret.file) secret.file = path_of_caller(secret.file->native(), folders);
  }
}

std::optional<Value> secrets_of(const TargetSpec& target, const fs::path& folder) {
  Value::Items entries;
  for (const SecretSource& secret : target.secrets) {
    Value::Members members = {{"id", Value::of(secret.id)}};
    if (secret.file) members["src"] = Value::of(shown_path(*secret.file, folder));
    if (secret.environment) members["env"] = Value::of(*secret.environment);
    entries.push_back(Value::map(Type::string(), std::move(members)));
  }
  return entries.empty() ? std::optional<Value>() : Value::tuple(std::move(entries));
}

void apply_ssh(const Value& value, TargetSpec& target, const AttributeFolders& folders) {
  target.ssh.clear();
  for (const Value& entry : value.items()) {
    SshForward& agent = target.ssh.emplace_back(parse_ssh(text_of_entry(EntryKind::ssh, entry)));
    for (fs::path& path : agent.paths) path = path_of_caller(path.native(), folders);
  }
}

std::optional<Value> ssh_of(const TargetSpec& target, const fs::path& folder) {
  Value::Items entries;
  for (const SshForward& agent : target.ssh) {
    Value::Items paths;
    for (const fs::path& path : agent.paths) paths.push_back(Value::of(shown_path(path, folder)));
    entries.push_back(
        Value::object({{"id", Value::of(agent.id)}, {"paths", Value::list(Type::string(), std::move(paths))}}));
  }
  return entries.empty() ? std::optional<Value>() : Value::tuple(std::move(entries));
}

void apply_network(const Value& value, TargetSpec& target, const AttributeFolders&) {
  target.network = word_of(value, "network",
                           {NetworkMode::build, NetworkMode::host, NetworkMode::none, NetworkMode::recorded}, target);
}

void apply_shm_size(const Value& value, TargetSpec& target, const AttributeFolders&) {
  if (!value.text().empty() && !parse_memory_size(value.text())) {
    throw Error(Category::usage, fmt::format("target '{}': shm-size '{}' is not valid; expected a size such as 64m",
                                             printable(target.name), printable(value.text())));
  }
  target.shm_size = value.text();
}

void apply_ulimits(const Value& value, TargetSpec& target, const AttributeFolders&) {
  target.ulimits = texts_of(value);
  for (const std::string& text : target.ulimits) parse_ulimit(text);
}

void apply_extra_hosts(const Value& value, TargetSpec& target, const AttributeFolders&) {
  for (const auto& [name, address] : value.members()) {
    const auto host = parse_host(fmt::format("{}={}", name, address.text()));
    std::erase_if(target.extra_hosts, [&](const auto& known) { return known.first == host.first; });
    target.extra_hosts.push_back(host);
  }
}

std::optional<Value> extra_hosts_of(const TargetSpec& target, const fs::path&) {
  return value_of_pairs({target.extra_hosts.begin(), target.extra_hosts.end()});
}

// What an entitlement permits is permitted on the command line.
bool is_permission(const Value& item) { return item.text() == "network.host" || item.text() == "security.insecure"; }

}  // namespace

// What RUN sees.
std::vector<Attribute> run_attributes() {
  using enum Attribute::Form;
  using enum Attribute::Merge;
  using T = TargetSpec;
  return {
      {.name = "secret",
       .place = 140,
       .form = entries,
       .merge = append,
       .entry = EntryKind::secret,
       .is_never_null = true,
       .set_name = "secrets",
       .apply = apply_secrets,
       .value_of = secrets_of},
      {.name = "ssh",
       .place = 150,
       .form = entries,
       .merge = append,
       .entry = EntryKind::ssh,
       .is_never_null = true,
       .apply = apply_ssh,
       .value_of = ssh_of},
      {.name = "network",
       .place = 200,
       .form = text,
       .merge = replace,
       .definition_key = "network",
       .is_input = true,
       .apply = apply_network,
       .value_of = word_of_target<&T::network>},
      {.name = "shm-size",
       .place = 220,
       .form = text,
       .merge = replace,
       .definition_key = "shm_size",
       .is_input = true,
       .apply = apply_shm_size,
       .value_of = text_of<&T::shm_size>},
      {.name = "ulimits",
       .place = 230,
       .form = texts,
       .merge = append,
       .set_name = "ulimit",
       .definition_key = "ulimits",
       .is_input = true,
       .apply = apply_ulimits,
       .value_of = texts_of_target<&T::ulimits>},
      {.name = "resources",
       .place = 240,
       .form = resources,
       .merge = by_key,
       .set_name = "resource",
       .refusal = "RUN steps are not limited; limit the kiln process"},
      {.name = "entitlements",
       .place = 260,
       .form = texts,
       .merge = append,
       .set_name = "entitlement",
       .is_only_added_to = true,
       .refusal = "RUN steps are never given devices; only network.host and security.insecure can be had",
       .asks_for_nothing = is_permission},
      {.name = "extra-hosts",
       .place = 270,
       .form = pairs,
       .merge = by_key,
       .allows_null_members = true,
       .set_name = "extra-host",
       .definition_key = "extra_hosts",
       .is_input = true,
       .apply = apply_extra_hosts,
       .value_of = extra_hosts_of},
  };
}

}  // namespace kiln::bake

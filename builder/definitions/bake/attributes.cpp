#include "builder/definitions/bake/attributes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/annotations.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/profile.hpp"
#include "builder/definitions/run_limit.hpp"
#include "builder/definitions/target_words.hpp"

namespace kiln::bake {

namespace {

using hcl::Type;
using hcl::Value;
using Spec = const TargetSpec&;
using Folder = const fs::path&;
using Folders = const AttributeFolders&;
using Answer = std::optional<Value>;
using Texts = std::vector<std::string>;
using Pairs = std::map<std::string, std::string>;

// What a member of a target is as a value, and back. Each pair of functions serves the rows whose member is enough.

Answer value_of_text(const std::string& text) { return text.empty() ? Answer() : Value::of(text); }

Answer value_of_items(const Texts& texts) {
  if (texts.empty()) return std::nullopt;
  Value::Items items;
  for (const std::string& text : texts) items.push_back(Value::of(text));
  return Value::list(Type::string(), std::move(items));
}

Answer value_of_pairs(const Pairs& pairs) {
  if (pairs.empty()) return std::nullopt;
  Value::Members members;
  for (const auto& [key, text] : pairs) members.emplace(key, Value::of(text));
  return Value::map(Type::string(), std::move(members));
}

Texts texts_of(const Value& list) {
  Texts texts;
  for (const Value& item : list.items()) texts.push_back(item.text());
  return texts;
}

template <std::string TargetSpec::*kMember>
void apply_text(const Value& value, TargetSpec& target, Folders) {
  target.*kMember = value.text();
}
template <std::string TargetSpec::*kMember>
Answer text_of(Spec target, Folder) {
  return value_of_text(target.*kMember);
}

template <bool TargetSpec::*kMember>
void apply_flag(const Value& value, TargetSpec& target, Folders) {
  target.*kMember = value.boolean();
}
template <bool TargetSpec::*kMember>
Answer flag_of(Spec target, Folder) {
  return target.*kMember ? Answer(Value::of(true)) : std::nullopt;
}

template <Texts TargetSpec::*kMember>
void apply_texts(const Value& value, TargetSpec& target, Folders) {
  target.*kMember = texts_of(value);
}
template <Texts TargetSpec::*kMember>
Answer texts_of_target(Spec target, Folder) {
  return value_of_items(target.*kMember);
}

// Caches and outputs stay what --cache-from and --output take.
template <Texts TargetSpec::*kMember, EntryKind kKind>
void apply_entries(const Value& value, TargetSpec& target, Folders) {
  (target.*kMember).clear();
  for (const Value& entry : value.items()) (target.*kMember).push_back(text_of_entry(kKind, entry));
}
template <Texts TargetSpec::*kMember, EntryKind kKind>
Answer entries_of(Spec target, Folder) {
  Value::Items entries;
  for (const std::string& text : target.*kMember) {
    try {
      for (Value& entry : entries_of_text(kKind, text)) entries.push_back(std::move(entry));
    } catch (const hcl::ValueError& error) {
      throw Error(Category::usage, fmt::format("target '{}': {}", printable(target.name), error.what()));
    }
  }
  return entries.empty() ? Answer() : Value::tuple(std::move(entries));
}

// A key that is not said stays what it is.
template <Pairs TargetSpec::*kMember>
void apply_pairs(const Value& value, TargetSpec& target, Folders) {
  for (const auto& [key, text] : value.members()) (target.*kMember)[key] = text.text();
}

void refuse_standard_input(const std::string& value, Spec target) {
  if (value != "-") return;
  throw Error(Category::usage, fmt::format("target '{}': a context or Dockerfile from standard input belongs to "
                                           "'kiln build'",
                                           printable(target.name)));
}

std::string one_of(const std::string& value, std::string_view what, const Texts& known, Spec target) {
  if (value.empty() || std::find(known.begin(), known.end(), value) != known.end()) return value;
  throw Error(Category::usage, fmt::format("target '{}': {} '{}' is not valid; known: {}", printable(target.name), what,
                                           printable(value), join(known, ", ")));
}

std::string shown_path(Folder path, Folder base) {
  const fs::path relative = path.lexically_relative(base);
  return relative.empty() || *relative.begin() == ".." ? path.string() : relative.string();
}

void apply_context(const Value& value, TargetSpec& target, Folders folders) {
  const std::string& text = value.text();
  refuse_standard_input(text, target);
  if (is_remote_context(text)) {
    target.context.reset();
    target.remote_context = text;
  } else {
    target.context = path_of(text, folders);
    target.remote_context.clear();
  }
}

Answer context_of(Spec target, Folder folder) {
  if (!target.remote_context.empty()) return Value::of(target.remote_context);
  return target.context ? Answer(Value::of(shown_path(*target.context, folder))) : std::nullopt;
}

std::string named_context(const std::string& value, Folders folders) {
  constexpr std::string_view kLayout = "oci-layout://";
  if (value.starts_with("target:") || value.starts_with("docker-image:") || is_remote_context(value)) return value;
  if (value.starts_with(kLayout)) {
    return std::string(kLayout) + path_of(value.substr(kLayout.size()), folders).string();
  }
  return path_of(value, folders).string();
}

void apply_contexts(const Value& value, TargetSpec& target, Folders folders) {
  for (const auto& [name, context] : value.members()) {
    if (context.text().empty()) {
      target.contexts.erase(name);
    } else {
      target.contexts[name] = named_context(context.text(), folders);
    }
  }
}

Answer contexts_of(Spec target, Folder folder) {
  Pairs contexts = target.contexts;
  for (auto& [name, context] : contexts) {
    if (context.starts_with('/')) context = shown_path(context, folder);
  }
  return value_of_pairs(contexts);
}

void apply_dockerfile(const Value& value, TargetSpec& target, Folders folders) {
  refuse_standard_input(value.text(), target);
  if (target.dockerfile_inline) return;
  const std::string name = value.text().empty() ? "Dockerfile" : value.text();
  target.dockerfile = name.starts_with("cwd://") ? path_of(name, folders)
                                                 : (target.context.value_or(fs::path()) / name).lexically_normal();
}

Answer dockerfile_of(Spec target, Folder) {
  if (target.dockerfile_inline) return Value::of("Dockerfile");
  if (!target.dockerfile) return std::nullopt;
  const fs::path relative = target.context ? target.dockerfile->lexically_relative(*target.context) : fs::path();
  return Value::of((relative.empty() ? *target.dockerfile : relative).string());
}

void apply_inline(const Value& value, TargetSpec& target, Folders) {
  target.dockerfile_inline = value.text();
  target.dockerfile.reset();
}

Answer inline_of(Spec target, Folder) {
  return target.dockerfile_inline ? Answer(Value::of(*target.dockerfile_inline)) : std::nullopt;
}

Answer args_of(Spec target, Folder) { return value_of_pairs(baked_args(target)); }

Answer labels_of(Spec target, Folder) {
  Pairs labels = target.labels;
  if (target.profile) labels.merge(profile_labels(*target.profile));
  return value_of_pairs(labels);
}

void apply_annotations(const Value& value, TargetSpec& target, Folders) {
  target.annotations = texts_of(value);
  for (const std::string& text : target.annotations) parse_annotation(text);
}

void apply_secrets(const Value& value, TargetSpec& target, Folders folders) {
  target.secrets.clear();
  for (const Value& entry : value.items()) {
    SecretSource& secret = target.secrets.emplace_back(parse_secret(text_of_entry(EntryKind::secret, entry)));
    if (secret.file) secret.file = path_of_caller(secret.file->native(), folders);
  }
}

Answer secrets_of(Spec target, Folder folder) {
  Value::Items entries;
  for (const SecretSource& secret : target.secrets) {
    Value::Members members = {{"id", Value::of(secret.id)}};
    if (secret.file) members["src"] = Value::of(shown_path(*secret.file, folder));
    if (secret.environment) members["env"] = Value::of(*secret.environment);
    entries.push_back(Value::map(Type::string(), std::move(members)));
  }
  return entries.empty() ? Answer() : Value::tuple(std::move(entries));
}

void apply_ssh(const Value& value, TargetSpec& target, Folders folders) {
  target.ssh.clear();
  for (const Value& entry : value.items()) {
    SshForward& agent = target.ssh.emplace_back(parse_ssh(text_of_entry(EntryKind::ssh, entry)));
    for (fs::path& path : agent.paths) path = path_of_caller(path.native(), folders);
  }
}

Answer ssh_of(Spec target, Folder folder) {
  Value::Items entries;
  for (const SshForward& agent : target.ssh) {
    Value::Items paths;
    for (const fs::path& path : agent.paths) paths.push_back(Value::of(shown_path(path, folder)));
    entries.push_back(
        Value::object({{"id", Value::of(agent.id)}, {"paths", Value::list(Type::string(), std::move(paths))}}));
  }
  return entries.empty() ? Answer() : Value::tuple(std::move(entries));
}

void apply_platforms(const Value& value, TargetSpec& target, Folders) {
  target.platforms = parse_platforms(texts_of(value));
}

Answer platforms_of(Spec target, Folder) {
  Texts platforms;
  for (const oci::Platform& platform : target.platforms) platforms.push_back(platform.str());
  return value_of_items(platforms);
}

void apply_network(const Value& value, TargetSpec& target, Folders) {
  target.network = one_of(value.text(), "network", {"default", "host", "none"}, target);
}

void apply_call(const Value& value, TargetSpec& target, Folders) {
  target.call = one_of(value.text(), "call", {"build", "check", "lint"}, target);
}

void apply_shm_size(const Value& value, TargetSpec& target, Folders) {
  if (!value.text().empty() && !parse_memory_size(value.text())) {
    throw Error(Category::usage, fmt::format("target '{}': shm-size '{}' is not valid; expected a size such as 64m",
                                             printable(target.name), printable(value.text())));
  }
  target.shm_size = value.text();
}

void apply_ulimits(const Value& value, TargetSpec& target, Folders) {
  target.ulimits = texts_of(value);
  for (const std::string& text : target.ulimits) parse_ulimit(text);
}

void apply_extra_hosts(const Value& value, TargetSpec& target, Folders) {
  for (const auto& [name, address] : value.members()) {
    const auto host = parse_host(fmt::format("{}={}", name, address.text()));
    std::erase_if(target.extra_hosts, [&](const auto& known) { return known.first == host.first; });
    target.extra_hosts.push_back(host);
  }
}

Answer extra_hosts_of(Spec target, Folder) {
  return value_of_pairs({target.extra_hosts.begin(), target.extra_hosts.end()});
}

bool is_switched_off(const Value& attestation) { return attestation.members().contains("disabled"); }

// What an entitlement permits is permitted on the command line.
bool is_permission(const Value& item) { return item.text() == "network.host" || item.text() == "security.insecure"; }

}  // namespace

const std::vector<Attribute>& attributes() {
  using enum Attribute::Form;
  using enum Attribute::Merge;
  using T = TargetSpec;
  static const std::vector<Attribute> table = {
      {.name = "description",
       .form = text,
       .merge = replace,
       .is_never_null = true,
       .cannot_be_set = true,
       .apply = apply_text<&T::description>,
       .value_of = text_of<&T::description>},
      {.name = "annotations",
       .form = texts,
       .merge = append,
       .is_escaped = true,
       .set_name = "annotation",
       .is_only_added_to = true,
       .definition_key = "annotations",
       .is_input = true,
       .apply = apply_annotations,
       .value_of = texts_of_target<&T::annotations>},
      {.name = "attest",
       .form = entries,
       .merge = append,
       .entry = EntryKind::attestation,
       .is_never_null = true,
       .is_only_added_to = true,
       .refusal = "it writes no attestations yet; leave it out, or say disabled=true",
       .asks_for_nothing = is_switched_off},
      {.name = "context", .form = text, .merge = replace, .apply = apply_context, .value_of = context_of},
      {.name = "contexts",
       .form = pairs,
       .merge = by_key,
       .definition_key = "contexts",
       .apply = apply_contexts,
       .value_of = contexts_of},
      {.name = "dockerfile", .form = text, .merge = replace, .apply = apply_dockerfile, .value_of = dockerfile_of},
      {.name = "dockerfile-inline",
       .form = text,
       .merge = replace,
       .is_escaped = true,
       .cannot_be_set = true,
       .apply = apply_inline,
       .value_of = inline_of},
      {.name = "args",
       .form = pairs,
       .merge = by_key,
       .allows_null_members = true,
       .is_escaped = true,
       .set_name = "arg",
       .definition_key = "args",
       .is_input = true,
       .apply = apply_pairs<&T::args>,
       .value_of = args_of},
      {.name = "labels",
       .form = pairs,
       .merge = by_key,
       .allows_null_members = true,
       .is_escaped = true,
       .set_name = "label",
       .definition_key = "labels",
       .is_input = true,
       .apply = apply_pairs<&T::labels>,
       .value_of = labels_of},
      {.name = "tags",
       .form = texts,
       .merge = replace,
       .set_name = "tag",
       .apply = apply_texts<&T::tags>,
       .value_of = texts_of_target<&T::tags>},
      {.name = "cache-from",
       .form = entries,
       .merge = append,
       .entry = EntryKind::cache,
       .is_never_null = true,
       .apply = apply_entries<&T::cache_from, EntryKind::cache>,
       .value_of = entries_of<&T::cache_from, EntryKind::cache>},
      {.name = "cache-to",
       .form = entries,
       .merge = replace,
       .entry = EntryKind::cache,
       .is_never_null = true,
       .apply = apply_entries<&T::cache_to, EntryKind::cache>,
       .value_of = entries_of<&T::cache_to, EntryKind::cache>},
      {.name = "target",
       .form = text,
       .merge = replace,
       .definition_key = "target",
       .is_input = true,
       .apply = apply_text<&T::stage>,
       .value_of = text_of<&T::stage>},
      {.name = "secret",
       .form = entries,
       .merge = append,
       .entry = EntryKind::secret,
       .is_never_null = true,
       .set_name = "secrets",
       .apply = apply_secrets,
       .value_of = secrets_of},
      {.name = "ssh",
       .form = entries,
       .merge = append,
       .entry = EntryKind::ssh,
       .is_never_null = true,
       .apply = apply_ssh,
       .value_of = ssh_of},
      {.name = "platforms",
       .form = texts,
       .merge = replace,
       .set_name = "platform",
       .is_input = true,
       .apply = apply_platforms,
       .value_of = platforms_of},
      {.name = "output",
       .form = entries,
       .merge = replace,
       .entry = EntryKind::output,
       .is_never_null = true,
       .definition_key = "output",
       .apply = apply_entries<&T::outputs, EntryKind::output>,
       .value_of = entries_of<&T::outputs, EntryKind::output>},
      {.name = "pull",
       .form = flag,
       .merge = replace,
       .definition_key = "pull",
       .apply = apply_flag<&T::pull>,
       .value_of = flag_of<&T::pull>},
      {.name = "no-cache",
       .form = flag,
       .merge = replace,
       .definition_key = "no_cache",
       .apply = apply_flag<&T::no_cache>,
       .value_of = flag_of<&T::no_cache>},
      {.name = "network",
       .form = text,
       .merge = replace,
       .definition_key = "network",
       .is_input = true,
       .apply = apply_network,
       .value_of = text_of<&T::network>},
      {.name = "no-cache-filter",
       .form = texts,
       .merge = append,
       .definition_key = "no_cache_filter",
       .apply = apply_texts<&T::no_cache_stages>,
       .value_of = texts_of_target<&T::no_cache_stages>},
      {.name = "shm-size",
       .form = text,
       .merge = replace,
       .definition_key = "shm_size",
       .is_input = true,
       .apply = apply_shm_size,
       .value_of = text_of<&T::shm_size>},
      {.name = "ulimits",
       .form = texts,
       .merge = append,
       .set_name = "ulimit",
       .definition_key = "ulimits",
       .is_input = true,
       .apply = apply_ulimits,
       .value_of = texts_of_target<&T::ulimits>},
      {.name = "resources",
       .form = resources,
       .merge = by_key,
       .set_name = "resource",
       .refusal = "RUN steps are not limited; limit the kiln process"},
      {.name = "call",
       .form = text,
       .merge = replace,
       .definition_key = "call",
       .apply = apply_call,
       .value_of = text_of<&T::call>},
      {.name = "entitlements",
       .form = texts,
       .merge = append,
       .set_name = "entitlement",
       .is_only_added_to = true,
       .refusal = "RUN steps are never given devices; only network.host and security.insecure can be had",
       .asks_for_nothing = is_permission},
      {.name = "extra-hosts",
       .form = pairs,
       .merge = by_key,
       .allows_null_members = true,
       .is_escaped = true,
       .set_name = "extra-host",
       .definition_key = "extra_hosts",
       .is_input = true,
       .apply = apply_extra_hosts,
       .value_of = extra_hosts_of},
      {.name = "policy",
       .form = entries,
       .merge = append,
       .entry = EntryKind::policy,
       .is_never_null = true,
       .refusal = "it knows no source policies; pin the images by digest"},
  };
  return table;
}

const Attribute* find_attribute(std::string_view name) {
  static const auto index = [] {
    std::map<std::string_view, const Attribute*> result;
    for (const Attribute& attribute : attributes()) result.emplace(attribute.name, &attribute);
    return result;
  }();
  const auto found = index.find(name);
  return found == index.end() ? nullptr : found->second;
}

}  // namespace kiln::bake

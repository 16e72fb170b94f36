#include "builder/definitions/bake_attributes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/annotations.hpp"
#include "builder/definitions/profile.hpp"
#include "builder/definitions/run_limit.hpp"
#include "builder/definitions/target_words.hpp"

namespace kiln {

using nlohmann::ordered_json;

namespace {

using Parts = const TargetParts&;
using Path = const fs::path&;
using Spec = const TargetSpec&;

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return text.starts_with(prefix); });
}

bool is_remote(std::string_view context) {
  return starts_with_any(context, {"http://", "https://", "git://", "ssh://", "git@", "github.com/"});
}

std::string named_context(const std::string& value, Path working_directory) {
  constexpr std::string_view kLayout = "oci-layout://";
  if (starts_with_any(value, {"target:", "docker-image:"}) || is_remote(value)) return value;
  if (value.starts_with(kLayout)) {
    return std::string(kLayout) + path_from(value.substr(kLayout.size()), working_directory).string();
  }
  return path_from(value, working_directory).string();
}

void refuse_standard_input(const std::string& value, Spec target) {
  if (value != "-") return;
  throw Error(Category::usage, fmt::format("target '{}': a context or Dockerfile from standard input belongs to "
                                           "'kiln build'",
                                           printable(target.name)));
}

std::string one_of(const std::string& value, std::string_view what, const std::vector<std::string>& known,
                   Spec target) {
  if (value.empty() || std::find(known.begin(), known.end(), value) != known.end()) return value;
  throw Error(Category::usage, fmt::format("target '{}': {} '{}' is not valid; known: {}", printable(target.name), what,
                                           printable(value), join(known, ", ")));
}

std::vector<std::string> without_repeats(const std::vector<std::string>& values) {
  std::vector<std::string> result;
  for (const std::string& value : values) {
    if (!value.empty() && std::find(result.begin(), result.end(), value) == result.end()) result.push_back(value);
  }
  return result;
}

std::string shown_path(Path path, Path base) {
  const fs::path relative = path.lexically_relative(base);
  return relative.empty() || *relative.begin() == ".." ? path.string() : relative.string();
}

template <class T>
ordered_json unless_empty(const T& value) {
  return value.empty() ? ordered_json() : ordered_json(value);
}

void apply_context(Parts parts, TargetSpec& target, Path working_directory) {
  refuse_standard_input(*parts.context, target);
  if (is_remote(*parts.context)) {
    target.context.reset();
    target.remote_context = *parts.context;
  } else {
    target.context = path_from(*parts.context, working_directory);
    target.remote_context.clear();
  }
}

void apply_contexts(Parts parts, TargetSpec& target, Path working_directory) {
  for (const auto& [name, value] : parts.contexts) {
    if (value.empty()) {
      target.contexts.erase(name);
    } else {
      target.contexts[name] = named_context(value, working_directory);
    }
  }
}

ordered_json print_contexts(Spec target, Path working_directory) {
  ordered_json contexts;
  for (const auto& [name, value] : target.contexts)
    contexts[name] = value.starts_with('/') ? shown_path(value, working_directory) : value;
  return contexts;
}

void apply_dockerfile(Parts parts, TargetSpec& target, Path working_directory) {
  refuse_standard_input(*parts.dockerfile, target);
  if (parts.dockerfile_inline || target.dockerfile_inline) return;
  const std::string name = parts.dockerfile->empty() ? "Dockerfile" : *parts.dockerfile;
  target.dockerfile = name.starts_with("cwd://") ? path_from(name, working_directory)
                                                 : (target.context.value_or(fs::path()) / name).lexically_normal();
}

ordered_json print_dockerfile(Spec target, Path) {
  if (target.dockerfile_inline) return "Dockerfile";
  if (!target.dockerfile) return {};
  const fs::path relative = target.context ? target.dockerfile->lexically_relative(*target.context) : fs::path();
  return (relative.empty() ? *target.dockerfile : relative).string();
}

ordered_json print_labels(Spec target, Path) {
  std::map<std::string, std::string> labels = target.labels;
  if (target.profile) labels.merge(profile_labels(*target.profile));
  return unless_empty(labels);
}

ordered_json print_secrets(Spec target, Path working_directory) {
  ordered_json secrets;
  for (const SecretSource& secret : target.secrets) {
    ordered_json item = {{"id", secret.id}};
    if (secret.file) item["src"] = shown_path(*secret.file, working_directory);
    if (secret.environment) item["env"] = *secret.environment;
    secrets.push_back(std::move(item));
  }
  return secrets;
}

ordered_json print_ssh(Spec target, Path working_directory) {
  ordered_json agents;
  for (const SshForward& ssh : target.ssh) {
    ordered_json item = {{"id", ssh.id}};
    for (const fs::path& path : ssh.paths) item["paths"].push_back(shown_path(path, working_directory));
    agents.push_back(std::move(item));
  }
  return agents;
}

void apply_extra_hosts(Parts parts, TargetSpec& target, Path) {
  for (const auto& [name, address] : parts.extra_hosts) {
    const auto host = parse_host(fmt::format("{}={}", name, address));
    std::erase_if(target.extra_hosts, [&](const auto& known) { return known.first == host.first; });
    target.extra_hosts.push_back(host);
  }
}

ordered_json print_extra_hosts(Spec target, Path) {
  ordered_json hosts;
  for (const auto& [name, address] : target.extra_hosts) hosts[name] = address;
  return hosts;
}

void apply_shm_size(Parts parts, TargetSpec& target, Path) {
  if (!parts.shm_size->empty() && !parse_memory_size(*parts.shm_size)) {
    throw Error(Category::usage, fmt::format("target '{}': shm-size '{}' is not valid; expected a size such as 64m",
                                             printable(target.name), printable(*parts.shm_size)));
  }
  target.shm_size = *parts.shm_size;
}

ordered_json print_platforms(Spec target, Path) {
  ordered_json platforms;
  for (const oci::Platform& platform : target.platforms) platforms.push_back(platform.str());
  return platforms;
}

}  // namespace

const std::vector<BakeAttribute>& bake_attributes() {
  using enum AttributeForm;
  using enum Inheritance;
  using P = TargetParts;
  static const std::vector<BakeAttribute> table = {
      {.name = "description",
       .member = &P::description,
       .apply = [](Parts parts, TargetSpec& target, Path) { target.description = *parts.description; },
       .print = [](Spec target, Path) { return unless_empty(target.description); }},
      {.name = "annotations",
       .member = &P::annotations,
       .inheritance = appends,
       .set_key = "annotations",
       .set_alias = "annotation",
       .definition_key = "annotations",
       .is_input = true,
       .apply =
           [](Parts parts, TargetSpec& target, Path) {
             target.annotations = without_repeats(*parts.annotations);
             for (const std::string& text : target.annotations) parse_annotation(text);
           },
       .print = [](Spec target, Path) { return unless_empty(target.annotations); }},
      {.name = "context",
       .member = &P::context,
       .set_key = "context",
       .apply = apply_context,
       .print =
           [](Spec target, Path from) {
             if (!target.remote_context.empty()) return ordered_json(target.remote_context);
             return target.context ? ordered_json(shown_path(*target.context, from)) : ordered_json();
           }},
      {.name = "contexts",
       .member = &P::contexts,
       .set_key = "contexts",
       .definition_key = "contexts",
       .apply = apply_contexts,
       .print = print_contexts},
      {.name = "dockerfile",
       .member = &P::dockerfile,
       .set_key = "dockerfile",
       .apply = apply_dockerfile,
       .print = print_dockerfile},
      {.name = "dockerfile-inline",
       .member = &P::dockerfile_inline,
       .apply =
           [](Parts parts, TargetSpec& target, Path) {
             target.dockerfile_inline = parts.dockerfile_inline;
             target.dockerfile.reset();
           },
       .print =
           [](Spec target, Path) {
             return target.dockerfile_inline ? ordered_json(*target.dockerfile_inline) : ordered_json();
           }},
      {.name = "args",
       .member = &P::args,
       .set_key = "args",
       .set_alias = "arg",
       .definition_key = "args",
       .is_input = true,
       .apply =
           [](Parts parts, TargetSpec& target, Path) {
             for (const auto& [name, value] : parts.args) target.args[name] = value;
           },
       .print = [](Spec target, Path) { return unless_empty(baked_args(target)); }},
      {.name = "labels",
       .member = &P::labels,
       .set_key = "labels",
       .set_alias = "label",
       .definition_key = "labels",
       .is_input = true,
       .apply =
           [](Parts parts, TargetSpec& target, Path) {
             for (const auto& [name, value] : parts.labels) target.labels[name] = value;
           },
       .print = print_labels},
      {.name = "tags",
       .member = &P::tags,
       .set_key = "tags",
       .set_alias = "tag",
       .apply = [](Parts parts, TargetSpec& target, Path) { target.tags = without_repeats(*parts.tags); },
       .print = [](Spec target, Path) { return unless_empty(target.tags); }},
      {.name = "cache-from",
       .member = &P::cache_from,
       .form = options,
       .inheritance = appends,
       .set_key = "cache-from",
       .apply = [](Parts parts, TargetSpec& target, Path) { target.cache_from = without_repeats(*parts.cache_from); },
       .print = [](Spec target, Path) { return unless_empty(target.cache_from); }},
      {.name = "cache-to",
       .member = &P::cache_to,
       .form = options,
       .set_key = "cache-to",
       .apply = [](Parts parts, TargetSpec& target, Path) { target.cache_to = without_repeats(*parts.cache_to); },
       .print = [](Spec target, Path) { return unless_empty(target.cache_to); }},
      {.name = "target",
       .member = &P::stage,
       .set_key = "target",
       .definition_key = "target",
       .is_input = true,
       .apply = [](Parts parts, TargetSpec& target, Path) { target.stage = *parts.stage; },
       .print = [](Spec target, Path) { return unless_empty(target.stage); }},
      {.name = "secret",
       .member = &P::secrets,
       .form = options,
       .inheritance = appends,
       .set_key = "secrets",
       .set_alias = "secret",
       .apply =
           [](Parts parts, TargetSpec& target, Path from) {
             target.secrets.clear();
             for (const std::string& text : without_repeats(*parts.secrets))
               target.secrets.push_back(parse_secret(text, from));
           },
       .print = print_secrets},
      {.name = "ssh",
       .member = &P::ssh,
       .form = agents,
       .inheritance = appends,
       .set_key = "ssh",
       .apply =
           [](Parts parts, TargetSpec& target, Path from) {
             target.ssh.clear();
             for (const std::string& text : without_repeats(*parts.ssh)) target.ssh.push_back(parse_ssh(text, from));
           },
       .print = print_ssh},
      {.name = "platforms",
       .member = &P::platforms,
       .set_key = "platform",
       .set_alias = "platforms",
       .is_input = true,
       .apply = [](Parts parts, TargetSpec& target, Path) { target.platforms = parse_platforms(*parts.platforms); },
       .print = print_platforms},
      {.name = "output",
       .member = &P::outputs,
       .form = options,
       .set_key = "output",
       .definition_key = "output",
       .apply = [](Parts parts, TargetSpec& target, Path) { target.outputs = without_repeats(*parts.outputs); },
       .print = [](Spec target, Path) { return unless_empty(target.outputs); }},
      {.name = "pull",
       .member = &P::pull,
       .set_key = "pull",
       .definition_key = "pull",
       .apply = [](Parts parts, TargetSpec& target, Path) { target.pull = *parts.pull; },
       .print = [](Spec target, Path) { return target.pull ? ordered_json(true) : ordered_json(); }},
      {.name = "no-cache",
       .member = &P::no_cache,
       .set_key = "no-cache",
       .definition_key = "no_cache",
       .apply = [](Parts parts, TargetSpec& target, Path) { target.no_cache = *parts.no_cache; },
       .print = [](Spec target, Path) { return target.no_cache ? ordered_json(true) : ordered_json(); }},
      {.name = "network",
       .member = &P::network,
       .set_key = "network",
       .definition_key = "network",
       .is_input = true,
       .apply =
           [](Parts parts, TargetSpec& target, Path) {
             target.network = one_of(*parts.network, "network", {"default", "host", "none"}, target);
           },
       .print = [](Spec target, Path) { return unless_empty(target.network); }},
      {.name = "no-cache-filter",
       .member = &P::no_cache_stages,
       .inheritance = appends,
       .set_key = "no-cache-filter",
       .definition_key = "no_cache_filter",
       .apply = [](Parts parts, TargetSpec& target,
                   Path) { target.no_cache_stages = without_repeats(*parts.no_cache_stages); },
       .print = [](Spec target, Path) { return unless_empty(target.no_cache_stages); }},
      {.name = "shm-size",
       .member = &P::shm_size,
       .set_key = "shm-size",
       .definition_key = "shm_size",
       .is_input = true,
       .apply = apply_shm_size,
       .print = [](Spec target, Path) { return unless_empty(target.shm_size); }},
      {.name = "ulimits",
       .member = &P::ulimits,
       .inheritance = appends,
       .set_key = "ulimits",
       .set_alias = "ulimit",
       .definition_key = "ulimits",
       .is_input = true,
       .apply =
           [](Parts parts, TargetSpec& target, Path) {
             target.ulimits = without_repeats(*parts.ulimits);
             for (const std::string& text : target.ulimits) parse_ulimit(text);
           },
       .print = [](Spec target, Path) { return unless_empty(target.ulimits); }},
      {.name = "call",
       .member = &P::call,
       .set_key = "call",
       .definition_key = "call",
       .apply =
           [](Parts parts, TargetSpec& target, Path) {
             target.call = one_of(*parts.call, "call", {"build", "check", "lint"}, target);
           },
       .print = [](Spec target, Path) { return unless_empty(target.call); }},
      {.name = "extra-hosts",
       .member = &P::extra_hosts,
       .set_key = "extra-hosts",
       .set_alias = "extra-host",
       .definition_key = "extra_hosts",
       .is_input = true,
       .apply = apply_extra_hosts,
       .print = print_extra_hosts},
  };
  return table;
}

bool BakeAttribute::is_said(const TargetParts& parts) const {
  return std::visit(
      [&](const auto which) {
        if constexpr (std::is_same_v<decltype(which), const Pairs>) {
          return !(parts.*which).empty();
        } else {
          return (parts.*which).has_value();
        }
      },
      member);
}

const BakeAttribute* find_set_key(std::string_view key) {
  for (const BakeAttribute& attribute : bake_attributes()) {
    if (!key.empty() && (attribute.set_key == key || attribute.set_alias == key)) return &attribute;
  }
  return nullptr;
}

}  // namespace kiln

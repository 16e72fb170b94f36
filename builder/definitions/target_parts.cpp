#include "builder/definitions/target_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/csv.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::string_view kWorkingDirectoryScheme = "cwd://";

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return text.starts_with(prefix); });
}

bool is_remote(std::string_view context) {
  return starts_with_any(context, {"http://", "https://", "git://", "ssh://", "git@", "github.com/"});
}

fs::path folder_path(std::string_view text, const fs::path& working_directory) {
  if (text.starts_with(kWorkingDirectoryScheme)) text.remove_prefix(kWorkingDirectoryScheme.size());
  fs::path path = (working_directory / fs::path(text)).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

std::string named_context(const std::string& value, const fs::path& working_directory) {
  constexpr std::string_view kLayout = "oci-layout://";
  if (starts_with_any(value, {"target:", "docker-image:"}) || is_remote(value)) return value;
  if (value.starts_with(kLayout)) {
    return std::string(kLayout) + folder_path(value.substr(kLayout.size()), working_directory).string();
  }
  return folder_path(value, working_directory).string();
}

TargetSecret parse_secret(const std::string& text, const fs::path& working_directory) {
  TargetSecret secret;
  std::string type;
  std::optional<std::string> source;
  for (const std::string& field : csv_fields(text, "secret")) {
    const std::size_t equals = field.find('=');
    const std::string key = to_lower(field.substr(0, equals));
    const std::string value = equals == std::string::npos ? "" : field.substr(equals + 1);
    if (equals == std::string::npos) {
      throw Error(Category::usage,
                  fmt::format("secret '{}': expected KEY=VALUE, got '{}'", printable(text), printable(field)));
    }
    if (key == "id") {
      secret.id = value;
    } else if (key == "src" || key == "source") {
      source = value;
    } else if (key == "env") {
      secret.environment = value;
    } else if (key == "type") {
      type = value;
    } else {
      throw Error(Category::usage, fmt::format("secret '{}': unknown key '{}'{}", printable(text), printable(key),
                                               suggestion(key, {"id", "src", "env", "type"})));
    }
  }
  if (secret.id.empty()) throw Error(Category::usage, fmt::format("secret '{}' has no id", printable(text)));
  if (!type.empty() && type != "file" && type != "env") {
    throw Error(Category::usage,
                fmt::format("secret '{}': unknown type '{}'; known: file, env", printable(text), printable(type)));
  }
  if (source && type == "env" && !secret.environment) {
    secret.environment = *source;
  } else if (source) {
    secret.file = folder_path(*source, working_directory);
  }
  return secret;
}

TargetSsh parse_ssh(const std::string& text, const fs::path& working_directory) {
  const std::size_t equals = text.find('=');
  TargetSsh ssh{text.substr(0, equals), {}};
  if (ssh.id.empty()) throw Error(Category::usage, fmt::format("ssh '{}' has no id", printable(text)));
  if (equals == std::string::npos) return ssh;
  for (const std::string& path : csv_fields(std::string_view(text).substr(equals + 1), "ssh")) {
    ssh.paths.push_back(folder_path(path, working_directory));
  }
  return ssh;
}

template <class T>
void replace(std::optional<T>& into, const std::optional<T>& from) {
  if (from) into = from;
}

void append(std::optional<std::vector<std::string>>& into, const std::optional<std::vector<std::string>>& from) {
  if (!from) return;
  if (!into) into.emplace();
  for (const std::string& value : *from) {
    if (std::find(into->begin(), into->end(), value) == into->end()) into->push_back(value);
  }
}

void assign(std::map<std::string, std::string>& into, const std::map<std::string, std::string>& from) {
  for (const auto& [key, value] : from) into[key] = value;
}

std::vector<std::string> without_repeats(const std::vector<std::string>& values) {
  std::vector<std::string> result;
  for (const std::string& value : values) {
    if (!value.empty() && std::find(result.begin(), result.end(), value) == result.end()) result.push_back(value);
  }
  return result;
}

}  // namespace

void TargetParts::merge(const TargetParts& over) {
  replace(description, over.description);
  replace(context, over.context);
  replace(dockerfile, over.dockerfile);
  replace(dockerfile_inline, over.dockerfile_inline);
  replace(stage, over.stage);
  replace(network, over.network);
  replace(pull, over.pull);
  replace(no_cache, over.no_cache);
  assign(args, over.args);
  assign(labels, over.labels);
  assign(contexts, over.contexts);
  replace(tags, over.tags);
  replace(platforms, over.platforms);
  replace(outputs, over.outputs);
  replace(cache_to, over.cache_to);
  append(cache_from, over.cache_from);
  append(secrets, over.secrets);
  append(ssh, over.ssh);
  append(no_cache_stages, over.no_cache_stages);
}

void TargetParts::apply_to(Target& target, const fs::path& working_directory) const {
  if (context == "-" || dockerfile == "-") {
    throw Error(Category::usage, fmt::format("target '{}': a context or Dockerfile from standard input belongs to "
                                             "'kiln build'",
                                             printable(target.name)));
  }
  if (description) target.description = *description;
  if (context && is_remote(*context)) {
    target.context.reset();
    target.remote_context = *context;
  } else if (context) {
    target.context = folder_path(*context, working_directory);
    target.remote_context.clear();
  }
  if (dockerfile_inline) {
    target.dockerfile_inline = dockerfile_inline;
    target.dockerfile.reset();
  } else if (dockerfile && !target.dockerfile_inline) {
    const std::string name = dockerfile->empty() ? "Dockerfile" : *dockerfile;
    if (name.starts_with(kWorkingDirectoryScheme)) {
      target.dockerfile = folder_path(name, working_directory);
    } else {
      target.dockerfile = (target.context.value_or(fs::path()) / name).lexically_normal();
    }
  }
  if (stage) target.stage = *stage;
  if (network) {
    static constexpr std::array<std::string_view, 4> kNetworks = {"", "default", "host", "none"};
    if (std::find(kNetworks.begin(), kNetworks.end(), *network) == kNetworks.end()) {
      throw Error(Category::usage, fmt::format("target '{}': network '{}' is not valid; known: default, host, none",
                                               printable(target.name), printable(*network)));
    }
    target.network = *network;
  }
  if (pull) target.pull = *pull;
  if (no_cache) target.no_cache = *no_cache;
  assign(target.args, args);
  assign(target.labels, labels);
  for (const auto& [name, value] : contexts) {
    if (value.empty()) {
      target.contexts.erase(name);
    } else {
      target.contexts[name] = named_context(value, working_directory);
    }
  }
  if (tags) target.tags = without_repeats(*tags);
  if (platforms) {
    target.platforms.clear();
    for (const std::string& value : without_repeats(*platforms)) {
      for (const std::string_view one : split(value, ',')) {
        const oci::Platform platform = trim(one) == "local" ? oci::Platform::host() : oci::Platform::parse(trim(one));
        if (std::find(target.platforms.begin(), target.platforms.end(), platform) == target.platforms.end()) {
          target.platforms.push_back(platform);
        }
      }
    }
  }
  if (outputs) target.outputs = without_repeats(*outputs);
  if (cache_from) target.cache_from = without_repeats(*cache_from);
  if (cache_to) target.cache_to = without_repeats(*cache_to);
  if (no_cache_stages) target.no_cache_stages = without_repeats(*no_cache_stages);
  if (secrets) {
    target.secrets.clear();
    for (const std::string& text : without_repeats(*secrets)) {
      target.secrets.push_back(parse_secret(text, working_directory));
    }
  }
  if (ssh) {
    target.ssh.clear();
    for (const std::string& text : without_repeats(*ssh)) target.ssh.push_back(parse_ssh(text, working_directory));
  }
}

}  // namespace kiln

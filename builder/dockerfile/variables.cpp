#include "builder/dockerfile/variables.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln::dockerfile {
namespace {

constexpr std::size_t kMostVariableBytes = std::size_t{16} << 20;
constexpr std::string_view kProxyNames[] = {"http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"};

// These say something to the builder and are no variables of RUN.
bool is_for_the_builder(std::string_view name) {
  return name == "BUILDKIT_SBOM_SCAN_CONTEXT" || name == "BUILDKIT_SBOM_SCAN_STAGE";
}

// `scope` is one of the two below.
template <class Scope>
Expansion expanded_value(const Scope& scope, const SecretValues& secrets, std::string_view word,
                         ExpansionOptions options) {
  options.modified = [&](const ModifiedValue& modified) {
    if (const auto value = scope.find(modified.name)) secrets.add_made_of(*value, modified.value);
  };
  return expand(
      word, [&](std::string_view name) { return scope.find(name); }, options);
}

template <class Scope>
Expansion expanded_word(const Scope& scope, const SecretValues& secrets, std::string_view word,
                        const ExpansionOptions& options) {
  Expansion result = expanded_value(scope, secrets, word, options);
  for (const std::string& name : result.used) {
    if (const auto value = scope.find(name)) secrets.add_parts_of(*value);
  }
  for (const ModifiedValue& modified : result.modified) secrets.add_parts_of(modified.value);
  return result;
}

}  // namespace

std::string PlatformParts::text() const {
  std::string out = os + "/" + architecture;
  if (!variant.empty()) out += "/" + variant;
  return out;
}

bool is_proxy_arg(std::string_view name) {
  return std::any_of(std::begin(kProxyNames), std::end(kProxyNames),
                     [&](std::string_view proxy) { return equals_ignoring_case(name, proxy); });
}

std::vector<std::pair<std::string, std::string>> proxy_environment(const BuildArgs& build_args) {
  std::vector<std::pair<std::string, std::string>> out;
  for (std::string_view name : kProxyNames) {
    for (const auto& [key, value] : build_args) {
      if (!equals_ignoring_case(key, name) || value.empty()) continue;
      out.emplace_back(to_upper(name), value);
      out.emplace_back(name, value);
      break;
    }
  }
  return out;
}

GlobalScope::GlobalScope(BuildArgs build_args, const PlatformParts& build, const PlatformParts& target,
                         std::string target_stage, char escape)
    : build_args_(std::move(build_args)), escape_(escape) {
  tell({});
  values_ = {{"BUILDPLATFORM", build.text()},
             {"BUILDOS", build.os},
             {"BUILDARCH", build.architecture},
             {"BUILDVARIANT", build.variant},
             {"TARGETPLATFORM", target.text()},
             {"TARGETOS", target.os},
             {"TARGETARCH", target.architecture},
             {"TARGETVARIANT", target.variant},
             {"TARGETSTAGE", target_stage.empty() ? "default" : std::move(target_stage)}};
  for (auto& [name, value] : values_) {
    if (const auto given = build_args_.find(name); given != build_args_.end()) value = given->second;
  }
}

void GlobalScope::tell(SecretValues secrets) {
  secrets_ = std::move(secrets);
  secrets_.add(build_args_);
}

void GlobalScope::declare(const Arg& arg) {
  for (const ArgDefinition& definition : arg.definitions) {
    const auto given = build_args_.find(definition.name);
    if (given != build_args_.end()) {
      values_[definition.name] = given->second;
    } else if (definition.default_value) {
      values_[definition.name] = expanded_value(*this, secrets_, *definition.default_value, {escape_}).text;
    }
  }
}

std::optional<std::string> GlobalScope::find(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::nullopt : std::optional<std::string>(found->second);
}

Expansion GlobalScope::expand(std::string_view word) const { return expanded_word(*this, secrets_, word, {escape_}); }

std::vector<std::string> GlobalScope::names() const {
  std::vector<std::string> out;
  for (const auto& [name, value] : values_) out.push_back(name);
  return out;
}

StageScope::StageScope(const GlobalScope& global, const std::vector<std::string>& image_environment)
    : global_(&global) {
  set_environment(image_environment);
}

void StageScope::set_environment(const std::vector<std::string>& environment) {
  for (const std::string& entry : environment) {
    const auto equals = entry.find('=');
    set(entry.substr(0, equals), equals == std::string::npos ? "" : entry.substr(equals + 1));
  }
}

void StageScope::declare(const Arg& arg) {
  for (const ArgDefinition& definition : arg.definitions) {
    DeclaredArg declared{definition.name, std::nullopt};
    const auto given = global_->build_args().find(definition.name);
    if (given != global_->build_args().end()) {
      declared.value = given->second;
    } else if (definition.default_value) {
      declared.value = expand_value(*definition.default_value).text;
    } else {
      declared.value = global_->find(definition.name);
    }
    if (declared.value && !is_for_the_builder(declared.name)) set(declared.name, *declared.value);
    declared_.push_back(std::move(declared));
  }
}

void StageScope::set_env(std::string_view key, std::string_view value) { set(key, value); }

std::optional<std::string> StageScope::find(std::string_view name) const {
  for (const auto& [key, value] : variables_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

Expansion StageScope::expand(std::string_view word, Quotes quotes) const {
  // Heredocs are the shell's language, whose escape character the directive does not change.
  const char escape = quotes == Quotes::literal ? '\\' : global_->escape();
  return expanded_word(*this, global_->secrets(), word, {escape, quotes});
}

Expansion StageScope::expand_value(std::string_view value) const {
  return expanded_value(*this, global_->secrets(), value, {global_->escape()});
}

bool StageScope::is_declared(std::string_view name) const {
  return std::any_of(declared_.begin(), declared_.end(),
                     [&](const DeclaredArg& declared) { return declared.name == name; });
}

void StageScope::set(std::string_view key, std::string_view value) {
  bytes_ += value.size();
  if (bytes_ > kMostVariableBytes)
    throw Error(Category::usage, fmt::format("the variables of a stage may hold {}", human_bytes(kMostVariableBytes)));
  for (auto& [name, current] : variables_) {
    if (name == key) {
      bytes_ -= current.size();
      current = value;
      return;
    }
  }
  variables_.emplace_back(key, value);
}

void set_environment_entry(std::vector<std::string>& environment, std::string_view key, std::string_view value) {
  std::string entry(key);
  entry += '=';
  const std::size_t name_size = entry.size();
  entry += value;
  for (std::string& existing : environment) {
    if (std::string_view(existing).substr(0, name_size) == std::string_view(entry).substr(0, name_size)) {
      existing = std::move(entry);
      return;
    }
  }
  environment.push_back(std::move(entry));
}

}  // namespace kiln::dockerfile

#include "builder/cli/words/words.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/definitions/target_words.hpp"
#include "builder/dockerfile/variables.hpp"

namespace kiln::cli {

std::map<std::string, std::string> parse_build_args(const std::vector<std::string>& values) {
  std::map<std::string, std::string> result;
  for (const std::string& value : values) {
    const std::size_t equals = value.find('=');
    const std::string name = value.substr(0, equals);
    if (name.empty()) throw Error(Category::usage, "--build-arg: expected NAME=VALUE, got no name");
    if (equals != std::string::npos) {
      result[name] = value.substr(equals + 1);
    } else if (const auto inherited = environment_variable(name)) {
      result[name] = *inherited;
    }
  }
  return result;
}

void warn_of_args_without_value(const std::vector<std::string>& values, Log& log) {
  for (const std::string& name : values) {
    if (name.find('=') != std::string::npos || environment_variable(name) || dockerfile::is_proxy_arg(name)) continue;
    log.warn(fmt::format("--build-arg '{}' is left out: it has no value, and the environment has no such variable",
                         printable(name)));
  }
}

std::map<std::string, std::string> parse_pairs(const std::vector<std::string>& values, std::string_view flag) {
  std::map<std::string, std::string> result;
  for (const std::string& value : values) {
    const std::size_t equals = value.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw Error(Category::usage, fmt::format("{} '{}': expected NAME=VALUE", flag, printable(value)));
    }
    result[value.substr(0, equals)] = value.substr(equals + 1);
  }
  return result;
}

std::vector<oci::Platform> wanted_platforms(const std::vector<std::string>& values) {
  if (!values.empty()) return parse_platforms(values);
  return with_context([] { return "which DOCKER_DEFAULT_PLATFORM in the environment names"; },
                      [] { return parse_platforms({environment_variable("DOCKER_DEFAULT_PLATFORM").value_or("")}); });
}

std::map<std::string, std::string> parse_labels(const std::vector<std::string>& values) {
  std::vector<std::string> pairs;
  for (const std::string& value : values) pairs.push_back(value.find('=') == std::string::npos ? value + "=" : value);
  return parse_pairs(pairs, "--label");
}

std::optional<NetworkMode> parse_network(std::string_view text) {
  if (text.empty()) return std::nullopt;
  if (const auto mode = parse_build_network(text)) return mode;
  throw Error(Category::usage,
              fmt::format("--network '{}': expected default, host, none or recorded; RUN has no other networks",
                          printable(text)));
}

RunSecurity parse_security(std::string_view text) {
  if (text.empty() || text == "sandbox") return RunSecurity::sandbox;
  if (text == "hardened") return RunSecurity::hardened;
  throw Error(Category::usage,
              fmt::format("--security '{}': expected sandbox or hardened{}", printable(text),
                          text == "insecure" ? "; a RUN says --security=insecure itself, and --allow permits it" : ""));
}

std::uint64_t parse_size(std::string_view text, std::string_view flag) {
  const auto bytes = parse_memory_size(text);
  if (!bytes) throw Error(Category::usage, fmt::format("{} '{}': expected a size such as 64m", flag, printable(text)));
  return *bytes;
}

}  // namespace kiln::cli

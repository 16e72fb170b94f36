#include "builder/cli/words/words.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/process.hpp"
#include "base/text.hpp"

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

std::map<std::string, std::string> parse_labels(const std::vector<std::string>& values) {
  std::vector<std::string> pairs;
  for (const std::string& value : values) pairs.push_back(value.find('=') == std::string::npos ? value + "=" : value);
  return parse_pairs(pairs, "--label");
}

SecretSource parse_secret(std::string_view text) {
  SecretSource secret;
  std::string type;
  for (const std::string_view field : split(text, ',')) {
    const std::size_t equals = field.find('=');
    const std::string key = to_lower(field.substr(0, equals));
    const std::string value = equals == std::string_view::npos ? "" : std::string(field.substr(equals + 1));
    if (key == "id") {
      secret.id = value;
    } else if (key == "src" || key == "source") {
      secret.file = value;
    } else if (key == "env") {
      secret.environment = value;
    } else if (key == "type" && (value == "file" || value == "env")) {
      type = value;
    } else {
      // The rest of the text, and a word without '=', may be the secret itself.
      const bool is_named = equals != std::string_view::npos;
      throw Error(Category::usage,
                  fmt::format("--secret: {}; expected id=ID[,src=FILE|,env=NAME]{}",
                              is_named ? fmt::format("unknown option '{}'", printable(key)) : "a word without '='",
                              is_named ? suggestion(key, {"id", "src", "source", "env", "type"}) : ""));
    }
  }
  if (secret.id.empty()) throw Error(Category::usage, "--secret: 'id' is missing; expected id=ID[,src=FILE|,env=NAME]");
  if (type == "env" && secret.file) {
    secret.environment = secret.file->native();
    secret.file.reset();
  }
  if (!secret.file && !secret.environment) {
    // docker: an environment variable of the secret's name, else a file of that name.
    if (type == "env" || (type.empty() && environment_variable(secret.id))) {
      secret.environment = secret.id;
    } else {
      secret.file = secret.id;
    }
  }
  if (secret.file && !fs::exists(*secret.file)) {
    throw Error(Category::usage, fmt::format("--secret '{}': there is no file '{}'", secret.id, secret.file->native()));
  }
  return secret;
}

SshForward parse_ssh(std::string_view text) {
  SshForward ssh;
  const std::size_t equals = text.find('=');
  ssh.id = std::string(text.substr(0, equals));
  if (equals != std::string_view::npos) {
    for (const std::string_view path : split(text.substr(equals + 1), ',')) ssh.paths.emplace_back(path);
  }
  return ssh;
}

std::pair<std::string, std::string> parse_host(std::string_view text) {
  const std::size_t separator = text.find_first_of(":=");
  if (separator == std::string_view::npos || separator == 0 || separator + 1 == text.size()) {
    throw Error(Category::usage, fmt::format("--add-host '{}': expected NAME:ADDRESS", printable(text)));
  }
  return {std::string(text.substr(0, separator)), std::string(text.substr(separator + 1))};
}

RunSecurity parse_security(std::string_view text) {
  if (text.empty() || text == "sandbox") return RunSecurity::sandbox;
  if (text == "hardened") return RunSecurity::hardened;
  throw Error(Category::usage,
              fmt::format("--security '{}': expected sandbox or hardened{}", printable(text),
                          text == "insecure" ? "; a RUN says --security=insecure itself, and --allow permits it" : ""));
}

std::uint64_t parse_size(std::string_view text, std::string_view flag) {
  std::string number = to_lower(text);
  std::uint64_t factor = 1;
  if (number.ends_with('b')) number.pop_back();
  if (number.ends_with('i')) number.pop_back();
  if (!number.empty()) {
    const std::size_t power = std::string_view("kmgt").find(number.back());
    if (power != std::string_view::npos) {
      factor = std::uint64_t{1} << (10 * (power + 1));
      number.pop_back();
    }
  }
  const auto value = parse_unsigned(number);
  if (!value) throw Error(Category::usage, fmt::format("{} '{}': expected a size such as 64m", flag, printable(text)));
  return *value * factor;
}

}  // namespace kiln::cli

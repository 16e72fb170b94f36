#include "builder/definitions/target_words.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "base/csv.hpp"
#include "base/error.hpp"
#include "base/process.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::string_view kWorkingDirectoryScheme = "cwd://";
// docker's word for the address at which a container meets its host, whose network RUN shares here.
constexpr std::string_view kHostGateway = "host-gateway";

}  // namespace

fs::path path_from(std::string_view text, const fs::path& working_directory) {
  if (text.starts_with(kWorkingDirectoryScheme)) text.remove_prefix(kWorkingDirectoryScheme.size());
  fs::path path = (working_directory / fs::path(text)).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

SecretSource parse_secret(std::string_view text, const fs::path& working_directory) {
  SecretSource secret;
  std::string type;
  std::optional<std::string> source;
  std::set<std::string> given;
  for (const std::string& field : csv_fields(text, "secret")) {
    const std::size_t equals = field.find('=');
    const std::string written = to_lower(field.substr(0, equals));
    const std::string key = written == "source" ? "src" : written;
    const std::string value = equals == std::string::npos ? "" : field.substr(equals + 1);
    if (equals == std::string::npos) {
      throw Error(Category::usage,
                  "secret: a word without '='; expected id=ID[,src=FILE|,env=NAME]");  // it may be the secret itself
    }
    if (!given.insert(key).second)
      throw Error(Category::usage, fmt::format("secret: '{}' is given twice", printable(key)));
    if (key == "id") {
      secret.id = value;
    } else if (key == "src") {
      source = value;
    } else if (key == "env") {
      secret.environment = value;
    } else if (key == "type") {
      type = value;
    } else {
      throw Error(Category::usage, fmt::format("secret: unknown key '{}'{}", printable(key),
                                               suggestion(key, {"id", "src", "env", "type"})));
    }
  }
  if (secret.id.empty()) throw Error(Category::usage, "a secret has no id; expected id=ID[,src=FILE|,env=NAME]");
  if (!type.empty() && type != "file" && type != "env") {
    throw Error(Category::usage,
                fmt::format("secret '{}': unknown type '{}'; known: file, env", printable(secret.id), printable(type)));
  }
  if (secret.environment && (source || type == "file"))
    throw Error(Category::usage,
                fmt::format("secret '{}' is a file or a variable: say src or env, not both", printable(secret.id)));
  if (source && type == "env") {
    secret.environment = *source;
  } else if (source) {
    secret.file = path_from(*source, working_directory);
  } else if (type == "env" && !secret.environment) {
    secret.environment = secret.id;
  } else if (type == "file" && !secret.environment) {
    secret.file = path_from(secret.id, working_directory);
  }
  return secret;
}

SecretSource located(SecretSource secret) {
  if (secret.file || secret.environment) return secret;
  if (environment_variable(secret.id)) {
    secret.environment = secret.id;
  } else {
    secret.file = secret.id;
  }
  return secret;
}

SshForward parse_ssh(std::string_view text, const fs::path& working_directory) {
  const std::size_t equals = text.find('=');
  SshForward ssh{std::string(text.substr(0, equals)), {}};
  if (ssh.id.empty()) throw Error(Category::usage, fmt::format("ssh '{}' has no id", printable(text)));
  if (equals == std::string_view::npos) return ssh;
  for (const std::string& path : csv_fields(text.substr(equals + 1), "ssh"))
    ssh.paths.push_back(path_from(path, working_directory));
  return ssh;
}

std::vector<oci::Platform> parse_platforms(const std::vector<std::string>& texts) {
  std::vector<oci::Platform> platforms;
  for (const std::string& text : texts) {
    for (const std::string_view part : split(text, ',')) {
      const std::string_view one = trim(part);
      if (one.empty() && text.empty()) continue;
      const oci::Platform platform = one == "local" ? oci::Platform::host() : oci::Platform::parse(one);
      if (std::find(platforms.begin(), platforms.end(), platform) == platforms.end()) platforms.push_back(platform);
    }
  }
  return platforms;
}

std::pair<std::string, std::string> parse_host(std::string_view text) {
  const auto fail = [&](std::string_view problem) {
    throw Error(Category::usage, fmt::format("host '{}': {}", printable(text), problem));
  };
  const std::size_t separator = text.find_first_of(":=");
  if (separator == std::string_view::npos || separator == 0 || separator + 1 == text.size())
    fail("expected NAME:ADDRESS");
  const std::string_view name = text.substr(0, separator);
  // It becomes a word of a line of /etc/hosts.
  if (std::any_of(name.begin(), name.end(), [](unsigned char c) { return c <= ' ' || c == '#' || c == 0x7f; }))
    fail("a name holds no spaces, control characters or '#'");
  std::string_view address = text.substr(separator + 1);
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  if (address == kHostGateway) return {std::string(name), "127.0.0.1"};
  in6_addr parsed;
  const std::string written(address);
  if (::inet_pton(AF_INET, written.c_str(), &parsed) != 1 && ::inet_pton(AF_INET6, written.c_str(), &parsed) != 1)
    fail(fmt::format("'{}' is no IP address", printable(address)));
  return {std::string(name), written};
}

std::string_view to_string(CallMethod method) {
  switch (method) {
    case CallMethod::build:
      return "build";
    case CallMethod::check:
      return "check";
    case CallMethod::lint:
      return "lint";
  }
  return "";
}

std::optional<std::uint64_t> parse_memory_size(std::string_view text) {
  std::string number = to_lower(text);
  double factor = 1;
  if (number.ends_with('b')) number.pop_back();
  if (number.ends_with('i')) number.pop_back();
  if (!number.empty()) {
    const std::size_t power = std::string_view("kmgtp").find(number.back());
    if (power != std::string_view::npos) {
      factor = static_cast<double>(std::uint64_t{1} << (10 * (power + 1)));
      number.pop_back();
    }
  }
  if (number.ends_with(' ')) number.pop_back();
  const bool is_number = !number.empty() && number.front() != '.' && number.back() != '.' &&
                         number.find_first_not_of("0123456789.") == std::string::npos;
  double value = 0;
  const auto [end, failure] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (!is_number || failure != std::errc() || end != number.data() + number.size()) return std::nullopt;
  constexpr double kMost = 9223372036854775807.0;  // of 64 bits with a sign
  return value * factor < kMost ? std::optional(static_cast<std::uint64_t>(value * factor)) : std::nullopt;
}

}  // namespace kiln

#include "builder/steps/source_secrets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/base64.hpp"
#include "base/credentials.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/paths.hpp"
#include "base/percent.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/definitions/target_words.hpp"
#include "builder/steps/git_source.hpp"

namespace kiln {

namespace {

constexpr std::uint64_t kMaxSecretBytes = std::uint64_t{500} << 10;

constexpr std::string_view kGitHeader = "GIT_AUTH_HEADER";
constexpr std::string_view kGitToken = "GIT_AUTH_TOKEN";
constexpr std::string_view kHttpHeader = "HTTP_AUTH_HEADER_";
constexpr std::string_view kHttpToken = "HTTP_AUTH_TOKEN_";

// A secret as one header line holds it. A file that an editor wrote ends in a newline.
std::string header_value(const SecretSource& secret) {
  std::string value = read_secret(secret);
  while (value.ends_with('\n') || value.ends_with('\r')) value.pop_back();
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (value.empty() || std::any_of(value.begin(), value.end(), is_control)) {
    throw Error(Category::usage,
                fmt::format("secret '{}': expected one line of text without control characters", printable(secret.id)));
  }
  return value;
}

const SecretSource* find(const std::vector<SecretSource>& secrets, std::string_view name) {
  const auto it = std::find_if(secrets.begin(), secrets.end(),
                               [&](const SecretSource& secret) { return equals_ignoring_case(secret.id, name); });
  return it == secrets.end() ? nullptr : &*it;
}

std::string_view without_port(std::string_view authority) {
  const std::size_t colon = authority.rfind(':');
  const bool has_port = colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
  return has_port ? authority.substr(0, colon) : authority;
}

// A URL divided where its user stands: "https://", "user:password", "host/path"; nullopt where it names none.
struct DividedUrl {
  std::string_view scheme, user, rest;
};
std::optional<DividedUrl> divided_at_user(std::string_view url) {
  const std::size_t sign = url.find("://");
  if (sign == std::string_view::npos) return std::nullopt;
  const std::size_t begin = sign + 3;
  const std::size_t length = url.substr(begin, url.find_first_of("/?#", begin) - begin).rfind('@');
  if (length == std::string_view::npos) return std::nullopt;
  return DividedUrl{url.substr(0, begin), url.substr(begin, length), url.substr(begin + length + 1)};
}

// The names of a URL's host that a secret may have, the more exact one first.
std::vector<std::string> hosts_of(const Url& url) {
  const std::string bare = url.host.starts_with('[') ? url.host.substr(1, url.host.size() - 2) : url.host;
  return {fmt::format("{}:{}", url.host, url.port), bare};
}

std::string git_header(const SecretSource& secret, bool is_token) {
  const std::string value = header_value(secret);
  return "Authorization: " + (is_token ? "basic " + base64_encoded("x-access-token:" + value) : value);
}

}  // namespace

std::string read_secret(const SecretSource& named) {
  const SecretSource secret = located(named);
  if (secret.environment) {
    const auto value = environment_variable(*secret.environment);
    if (!value) {
      throw Error(Category::usage, fmt::format("secret '{}': the environment variable '{}' is not set",
                                               printable(secret.id), printable(*secret.environment)));
    }
    return *value;
  }
  const fs::path& file = *secret.file;
  std::error_code ignored;
  const fs::file_status status = fs::status(file, ignored);
  const auto refuse = [&](std::string_view what) {
    return Error(Category::usage,
                 fmt::format("secret '{}': '{}' {}", printable(secret.id), printable(file.native()), what));
  };
  if (!fs::exists(status) && !named.file) {
    throw Error(Category::usage, fmt::format("secret '{}': there is neither an environment variable nor a file of that "
                                             "name; say src=FILE or env=NAME of it",
                                             printable(secret.id)));
  }
  if (!fs::exists(status)) throw refuse("is not there");
  if (fs::is_directory(status)) throw refuse("is a folder, expected a file");
  // A pipe of the shell's, `src=<(program)`, is open already; any other may keep us waiting for ever.
  if (fs::is_fifo(status) && !is_open_descriptor(file)) throw refuse("is a pipe, expected a file");
  if (fs::is_socket(status)) throw refuse("is a socket, expected a file");
  if (fs::is_regular_file(status) && fs::file_size(file, ignored) > kMaxSecretBytes) {
    throw Error(Category::build, fmt::format("secret '{}': '{}' is larger than {} bytes", printable(secret.id),
                                             printable(file.native()), kMaxSecretBytes));
  }
  try {
    return read_file(file, kMaxSecretBytes);
  } catch (const Error& error) {
    throw refuse(fmt::format("cannot be read: {}", error.message()));
  }
}

std::optional<std::string> user_authorization(std::string_view url) {
  const auto divided = divided_at_user(url);
  if (!divided || divided->user.empty()) return std::nullopt;
  const std::string_view user = divided->user;
  const std::size_t colon = std::min(user.find(':'), user.size());
  const std::string password = colon == user.size() ? "" : percent_decoded(user.substr(colon + 1));
  return "Basic " + base64_encoded(percent_decoded(user.substr(0, colon)) + ":" + password);
}

std::string without_user(std::string_view url) {
  const auto divided = divided_at_user(url);
  return divided ? fmt::format("{}{}", divided->scheme, divided->rest) : std::string(url);
}

std::string with_masked_user(std::string_view url) {
  const auto divided = divided_at_user(url);
  if (!divided) return std::string(url);
  return fmt::format("{}{}@{}", divided->scheme, masked_user(divided->user), divided->rest);
}

bool SourceSecrets::is_for_sources(std::string_view id) {
  const auto is_of = [&](std::string_view name) {
    return id.starts_with(name) && (id.size() == name.size() || id[name.size()] == '.');
  };
  return is_of(kGitHeader) || is_of(kGitToken) || id.starts_with(kHttpHeader) || id.starts_with(kHttpToken);
}

bool SourceSecrets::is_for(std::string_view id, std::string_view source) {
  const bool is_git = parse_git_reference(source).has_value();
  const bool is_token = id.starts_with(kHttpToken);
  if (!is_token && !id.starts_with(kHttpHeader)) return is_git && is_for_sources(id);
  if (is_git || !is_http_url(source)) return false;
  const std::string host = to_lower(id.substr(is_token ? kHttpToken.size() : kHttpHeader.size()));
  const std::vector<std::string> hosts = hosts_of(Url::parse(without_user(source)));
  return std::find(hosts.begin(), hosts.end(), host) != hosts.end();
}

std::vector<SourceSecrets::GitHeader> SourceSecrets::git_headers(std::string_view remote) const {
  if (!is_http_url(remote)) return {};
  const std::string_view scheme = remote.substr(0, remote.find("://"));
  std::string_view authority = remote.substr(scheme.size() + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  authority = authority.substr(authority.rfind('@') + 1);
  const std::string host = to_lower(authority);
  const std::string name(without_port(host));
  std::vector<GitHeader> headers;
  // BuildKit's order; a host is looked for with its port and without.
  for (const std::string& suffix : {"." + host, "." + name, std::string()}) {
    for (const std::string_view kind : {kGitHeader, kGitToken}) {
      const SecretSource* secret = headers.empty() ? find(secrets_, std::string(kind) + suffix) : nullptr;
      if (secret) headers.push_back({fmt::format("{}://{}/", scheme, host), git_header(*secret, kind == kGitToken)});
    }
  }
  if (headers.empty()) {
    if (const auto basic = user_authorization(remote))
      headers.push_back({fmt::format("{}://{}/", scheme, host), "Authorization: " + *basic});
  }
  // Submodules elsewhere have their own; by HTTPS alone, since a repository chooses their URLs.
  std::set<std::string> told = {host, name};
  for (const std::string_view kind : {kGitHeader, kGitToken}) {
    for (const SecretSource& secret : secrets_) {
      if (!secret.id.starts_with(std::string(kind) + ".")) continue;
      const std::string other = to_lower(std::string_view(secret.id).substr(kind.size() + 1));
      if (told.insert(other).second)
        headers.push_back({fmt::format("https://{}/", other), git_header(secret, kind == kGitToken)});
    }
  }
  return headers;
}

std::optional<std::string> SourceSecrets::http_authorization(const Url& url) const {
  for (const std::string& host : hosts_of(url)) {
    // BuildKit lets the token win where there are both.
    if (const SecretSource* token = find(secrets_, std::string(kHttpToken) + host))
      return "Bearer " + header_value(*token);
    if (const SecretSource* header = find(secrets_, std::string(kHttpHeader) + host)) return header_value(*header);
  }
  return std::nullopt;
}

}  // namespace kiln

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/definitions/target_spec.hpp"
#include "registry/remote/url.hpp"

namespace kiln {

// Reads a secret of the build. Error{usage} where it cannot be had, Error{build} where it is longer than BuildKit's
// 500 KiB. No message holds a byte of it.
std::string read_secret(const SecretSource& secret);

// What stands in a URL before its '@': as a value of Authorization (nullopt where there is none), the URL without it,
// and the URL with xxxxx in place of user name and password, as BuildKit writes it into a kept .git.
std::optional<std::string> user_authorization(std::string_view url);
std::string without_user(std::string_view url);
std::string with_masked_user(std::string_view url);

// The secrets of a build that authorise its remote sources, by the names that BuildKit gives them:
//
//   GIT_AUTH_TOKEN, GIT_AUTH_HEADER              of the host of a git source's repository, fetched by HTTP or HTTPS
//   GIT_AUTH_TOKEN.HOST, GIT_AUTH_HEADER.HOST    of repositories at HOST, submodules too
//   HTTP_AUTH_TOKEN_HOST, HTTP_AUTH_HEADER_HOST  of files that ADD fetches from HOST
//
// A TOKEN is put into the header that its kind of server expects, a HEADER is the whole value of Authorization. HOST
// may end in ":PORT".
class SourceSecrets {
 public:
  SourceSecrets() = default;
  explicit SourceSecrets(std::vector<SecretSource> secrets) : secrets_(std::move(secrets)) {}

  // Whether a secret with this name is for sources, whatever else uses it.
  static bool is_for_sources(std::string_view id);
  // Whether what is fetched from a source may take it: for git any repository, since its submodules may be anywhere.
  static bool is_for(std::string_view id, std::string_view source);

  // What git is told as http.URL.extraheader for a source and its submodules. Where no secret is for the source's host
  // the user name and password of its URL are.
  struct GitHeader {
    std::string url;
    std::string header;
  };
  std::vector<GitHeader> git_headers(std::string_view remote) const;
  // The value of Authorization for a URL; nullopt where no secret is for its host. Error{usage} for a secret that is no
  // header.
  std::optional<std::string> http_authorization(const Url& url) const;

 private:
  std::vector<SecretSource> secrets_;
};

}  // namespace kiln

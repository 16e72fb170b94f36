#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/cancel.hpp"
#include "base/file.hpp"
#include "base/log.hpp"

namespace kiln {

// What a registry is told about who asks. Never printed: `source` is what messages may say.
struct Credentials {
  std::string username;
  std::string password;
  std::string identity_token;  // a refresh token, exchanged by POST (docker's "identitytoken")
  std::string registry_token;  // a bearer token to be sent as it is (docker's "registrytoken")
  std::string source;          // "flags", "DOCKER_AUTH_CONFIG", "/root/.docker/config.json", "GITHUB_TOKEN"
};

// Where credentials come from, as read from the environment once; tests fill it in.
struct CredentialEnvironment {
  std::optional<Credentials> flags;  // for every registry
  std::string docker_auth_config;    // $DOCKER_AUTH_CONFIG: the text of a config.json
  fs::path docker_config;            // $DOCKER_CONFIG/config.json or ~/.docker/config.json
  std::vector<fs::path> auth_files;  // containers' auth.json files, in the order they are asked
  std::string github_token;          // only where GITHUB_ACTIONS is true
  std::string github_actor;
  double helper_seconds = 120;  // for a helper program's answer: one that asks a person has time to be answered

  static CredentialEnvironment from_process();
};

// Finds credentials: flags, DOCKER_AUTH_CONFIG, docker's config.json (credHelpers, then auths, then
// credsStore), containers' auth.json (the longest key that is a prefix of registry/repository), GITHUB_TOKEN
// for ghcr.io in Actions. The first place that knows the registry counts. Helper programs
// (docker-credential-NAME) are run once a registry. A file that is there and cannot be read or parsed, or a
// helper that fails, is Error{machine}: pushing without credentials instead would be a riddle. Any thread.
class CredentialStore {
 public:
  CredentialStore(CredentialEnvironment environment, CancelToken cancel);

  // `repository` may be empty. nullopt: ask without credentials.
  std::optional<Credentials> find(std::string_view registry, std::string_view repository) const;

 private:
  CredentialEnvironment environment_;
  CancelToken cancel_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::optional<Credentials>> found_;
};

// Writes (or takes out) a registry's credentials in docker's config.json: through the credential helper that
// file names for the registry, else into "auths". Everything else in the file is kept; written with mode 0600
// by rename; a symlink is followed to its target. Returns where they went, for the message.
std::string store_credentials(const CredentialEnvironment& environment, std::string_view registry,
                              const Credentials& credentials, const CancelToken& cancel);
// False where there were none.
bool erase_credentials(const CredentialEnvironment& environment, std::string_view registry, const CancelToken& cancel);

}  // namespace kiln

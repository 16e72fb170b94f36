#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "registry/remote/challenge.hpp"
#include "registry/remote/credentials.hpp"
#include "registry/remote/http.hpp"
#include "registry/remote/retry.hpp"

namespace kiln {

// What a request needs to be allowed to do, as token servers write it: "repository:acme/app:pull,push".
class Scope {
 public:
  Scope() = default;
  static Scope pull(std::string_view repository);
  static Scope pull_push(std::string_view repository);
  static Scope remove(std::string_view repository);  // pull, push and delete
  static Scope catalog();                            // the list of all repositories

  // Joined with another: mounting needs to push here and to pull there.
  Scope with(const Scope& other) const;
  // Joined with what a challenge's scope parameter says ("repository:a:pull repository:b:push").
  Scope with_text(std::string_view text) const;

  bool covers(const Scope& other) const;
  bool empty() const { return actions_.empty(); }
  std::vector<std::string> texts() const;
  auto operator<=>(const Scope&) const = default;

 private:
  std::map<std::string, std::set<std::string>> actions_;  // "repository:acme/app" -> actions
};

// Sends one request on behalf of the authenticator: the answer as it is, faults retried. Checks realms.
using TokenRequester = std::function<HttpResponse(HttpRequest)>;

// How one registry lets us in. Remembers its challenge and the tokens by scope until shortly before they
// expire. Any thread; several threads that need the same token wait for one request. Implements
// distribution's "Token Authentication Specification" and "OAuth2" (POST for identity tokens).
class Authenticator {
 public:
  // `requester` is called with requests to realms; `registry` names it in messages.
  Authenticator(std::string registry, std::optional<Credentials> credentials, TokenRequester requester,
                WaitClock& clock);

  // The value of the Authorization field; "" before the first challenge and where none is needed.
  std::string authorization(const Scope& scope);

  // The registry answered 401 to a request that carried `used`: learns the challenge and throws the token
  // away. False where there is nothing better to try: the refusal stands.
  bool challenged(const std::vector<std::string>& www_authenticate, const std::string& used);

  // "as 'user' (from /root/.docker/config.json)" or "without credentials", for messages.
  std::string identity() const;

 private:
  struct Token {
    std::string text;
    double expires_at = 0;  // on the clock's monotonic scale
  };
  Token fetch_token(const Scope& scope);

  std::string registry_;
  std::optional<Credentials> credentials_;
  TokenRequester requester_;
  WaitClock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable fetched_;
  std::optional<Challenge> challenge_;
  std::string identity_token_;
  std::map<Scope, Token> tokens_;
  std::set<Scope> fetching_;
};

}  // namespace kiln

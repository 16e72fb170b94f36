#include "registry/remote/auth.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/json.hpp"
#include "base/percent.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr double kDefaultLifetimeSeconds = 60;  // where the token server names none
constexpr std::size_t kMaxTokenBytes = std::size_t{64} << 10;

bool can_stand_in_a_field(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string form_of(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string form;
  for (const auto& [name, value] : fields) {
    if (!form.empty()) form += '&';
    form += percent_encoded(name) + "=" + percent_encoded(value);
  }
  return form;
}

}  // namespace

Scope Scope::pull(std::string_view repository) {
  Scope scope;
  scope.actions_["repository:" + std::string(repository)] = {"pull"};
  return scope;
}

Scope Scope::pull_push(std::string_view repository) {
  Scope scope;
  scope.actions_["repository:" + std::string(repository)] = {"pull", "push"};
  return scope;
}

Scope Scope::remove(std::string_view repository) {
  Scope scope;
  scope.actions_["repository:" + std::string(repository)] = {"delete", "pull", "push"};
  return scope;
}

Scope Scope::catalog() {
  Scope scope;
  scope.actions_["registry:catalog"] = {"*"};
  return scope;
}

Scope Scope::with(const Scope& other) const {
  Scope result = *this;
  for (const auto& [resource, actions] : other.actions_)
    result.actions_[resource].insert(actions.begin(), actions.end());
  return result;
}

Scope Scope::with_text(std::string_view text) const {
  Scope result = *this;
  for (const std::string_view entry : split(text, ' ')) {
    const std::size_t colon = entry.rfind(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == entry.size()) continue;
    for (const std::string_view action : split(entry.substr(colon + 1), ',')) {
      if (!action.empty()) result.actions_[std::string(entry.substr(0, colon))].emplace(action);
    }
  }
  return result;
}

bool Scope::covers(const Scope& other) const {
  return std::all_of(other.actions_.begin(), other.actions_.end(), [&](const auto& entry) {
    const auto found = actions_.find(entry.first);
    return found != actions_.end() &&
           std::includes(found->second.begin(), found->second.end(), entry.second.begin(), entry.second.end());
  });
}

std::vector<std::string> Scope::texts() const {
  std::vector<std::string> result;
  for (const auto& [resource, actions] : actions_) {
    result.push_back(resource + ":" + join(std::vector<std::string>(actions.begin(), actions.end()), ","));
  }
  return result;
}

Authenticator::Authenticator(std::string registry, std::optional<Credentials> credentials, TokenRequester requester,
                             WaitClock& clock)
    : registry_(std::move(registry)),
      credentials_(std::move(credentials)),
      requester_(std::move(requester)),
      clock_(clock),
      identity_token_(credentials_ ? credentials_->identity_token : "") {}

std::string Authenticator::authorization(const Scope& scope) {
  std::unique_lock lock(mutex_);
  if (!challenge_) return {};
  if (challenge_->scheme == "basic") {
    if (!credentials_ || credentials_->username.empty()) return {};
    return "Basic " + base64_encoded(credentials_->username + ":" + credentials_->password);
  }
  if (credentials_ && !credentials_->registry_token.empty()) return "Bearer " + credentials_->registry_token;
  for (;;) {
    const double now = clock_.monotonic_seconds();
    std::erase_if(tokens_, [&](const auto& entry) { return entry.second.expires_at <= now; });
    for (const auto& [token_scope, token] : tokens_) {
      if (token_scope.covers(scope)) return "Bearer " + token.text;
    }
    if (!fetching_.contains(scope)) break;
    fetched_.wait(lock);
  }
  fetching_.insert(scope);
  lock.unlock();
  Token token;
  try {
    token = fetch_token(scope);
  } catch (...) {
    lock.lock();
    fetching_.erase(scope);
    fetched_.notify_all();
    throw;
  }
  lock.lock();
  fetching_.erase(scope);
  tokens_[scope] = token;
  fetched_.notify_all();
  return "Bearer " + token.text;
}

bool Authenticator::challenged(const std::vector<std::string>& www_authenticate, const std::string& used) {
  const std::vector<Challenge> challenges = parse_challenges(www_authenticate);
  const auto by_scheme = [&](std::string_view scheme) {
    return std::find_if(challenges.begin(), challenges.end(), [&](const Challenge& c) {
      return c.scheme == scheme && (scheme != "bearer" || !c.parameter("realm").empty());
    });
  };
  auto chosen = by_scheme("bearer");
  if (chosen == challenges.end()) chosen = by_scheme("basic");
  const std::lock_guard lock(mutex_);
  if (!used.empty()) {
    std::erase_if(tokens_, [&](const auto& entry) { return "Bearer " + entry.second.text == used; });
  }
  if (chosen == challenges.end()) return false;
  challenge_ = *chosen;
  if (chosen->scheme == "basic") return used.empty() && credentials_ && !credentials_->username.empty();
  if (credentials_ && !credentials_->registry_token.empty()) return used.empty();
  return true;
}

std::string Authenticator::identity() const {
  if (!credentials_) return "without credentials";
  const std::string who =
      credentials_->username.empty() ? "with a token" : "as '" + printable(credentials_->username) + "'";
  return fmt::format("{} (from {})", who, credentials_->source);
}

Authenticator::Token Authenticator::fetch_token(const Scope& scope) {
  std::string realm, service, identity_token;
  {
    const std::lock_guard lock(mutex_);
    realm = challenge_->parameter("realm");
    service = challenge_->parameter("service");
    identity_token = identity_token_;
  }
  HttpRequest request;
  request.url = with_context([&] { return fmt::format("the token server that '{}' names", registry_); },
                             [&] { return Url::parse(realm); });
  request.max_body_bytes = std::uint64_t{1} << 20;
  if (!identity_token.empty()) {
    request.method = HttpMethod::post;
    request.headers.add("Content-Type", "application/x-www-form-urlencoded");
    request.body = memory_body(form_of({{"grant_type", "refresh_token"},
                                        {"service", service},
                                        {"client_id", "kiln"},
                                        {"scope", join(scope.texts(), " ")},
                                        {"refresh_token", identity_token}}));
  } else {
    if (!service.empty()) request.url.add_query("service", service);
    for (const std::string& text : scope.texts()) request.url.add_query("scope", text);
    if (credentials_ && !credentials_->username.empty()) {
      request.url.add_query("account", credentials_->username);
      request.headers.add("Authorization",
                          "Basic " + base64_encoded(credentials_->username + ":" + credentials_->password));
    }
  }
  const Url asked = request.url;
  const double asked_at = clock_.monotonic_seconds();
  const HttpResponse response = requester_(std::move(request));
  if (response.status == 401 || response.status == 403) {
    throw Error(
        Category::network,
        fmt::format("registry '{}' refused to log in {}: the token server '{}' answered {}; run 'kiln login {}'",
                    registry_, identity(), asked.redacted(), response.status, registry_));
  }
  if (response.status != 200) {
    throw Error(Category::network, fmt::format("registry '{}': the token server '{}' answered {}, expected 200",
                                               registry_, asked.redacted(), response.status));
  }
  // The document itself may hold secrets and is never quoted.
  const std::string name = fmt::format("answer of the token server '{}'", asked.redacted());
  const nlohmann::json document = parse_json(response.body, name, Category::network);
  Token token;
  token.text = string_member(document, "token");
  if (token.text.empty()) token.text = string_member(document, "access_token");
  if (token.text.empty()) throw Error(Category::network, name + ": there is no token in it");
  if (token.text.size() > kMaxTokenBytes) {
    throw Error(Category::network,
                fmt::format("{}: its token has {} bytes, more than {}", name, token.text.size(), kMaxTokenBytes));
  }
  if (!can_stand_in_a_field(token.text))
    throw Error(Category::network, name + ": its token holds what no header field can hold");
  double lifetime = kDefaultLifetimeSeconds;
  if (const auto found = document.find("expires_in"); found != document.end() && found->is_number()) {
    lifetime = std::clamp(found->get<double>(), 0.0, 86400.0);
  }
  // Renewed while it is still good, so that it does not run out within a request.
  token.expires_at = asked_at + std::max(1.0, lifetime - std::min(15.0, lifetime / 4));
  if (const std::string renewed = string_member(document, "refresh_token");
      !renewed.empty() && !identity_token.empty()) {
    const std::lock_guard lock(mutex_);
    identity_token_ = renewed;
  }
  return token;
}

}  // namespace kiln

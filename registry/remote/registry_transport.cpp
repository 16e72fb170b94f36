#include "registry/remote/registry_transport.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "registry/remote/ghcr.hpp"

namespace kiln {

namespace {

constexpr int kMostRedirects = 10;
constexpr int kMostChallenges = 3;

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

std::optional<oci::Digest> RegistryAnswer::stated_digest() const {
  const auto field = response.headers.find("Docker-Content-Digest");
  if (!field || !oci::Digest::is_valid(*field)) return std::nullopt;
  oci::Digest digest = oci::Digest::parse(*field);
  if (digest.algorithm() != "sha256") return std::nullopt;
  return digest;
}

RegistryTransport::RegistryTransport(RemoteSession& session, Endpoint endpoint, std::string credentials_name)
    : session_(session),
      pace_(session, endpoint.authority),
      origin_(session, std::move(endpoint), pace_),
      credentials_name_(std::move(credentials_name)) {}

// One for each set of credentials: auth.json may name others for some of a registry's repositories.
Authenticator& RegistryTransport::authenticator(const std::string& repository) {
  const auto credentials = session_.credentials().find(credentials_name_, repository);
  std::string key;
  if (credentials) {
    for (const std::string* part :
         {&credentials->username, &credentials->password, &credentials->identity_token, &credentials->registry_token}) {
      key += std::to_string(part->size()) + ":" + *part;
    }
  }
  const std::lock_guard lock(mutex_);
  auto& found = authenticators_[key];
  if (!found) {
    found = std::make_unique<Authenticator>(
        credentials_name_, credentials, [this](HttpRequest request) { return ask_realm(std::move(request)); },
        session_.clock());
  }
  return *found;
}

void RegistryTransport::note_upload(std::uint64_t bytes, double seconds) {
  constexpr std::uint64_t kTellingBytes = std::uint64_t{8} << 20;
  if (bytes < kTellingBytes || seconds <= 0) return;
  const std::lock_guard lock(mutex_);
  upload_bytes_per_second_ = std::max(upload_bytes_per_second_, static_cast<double>(bytes) / seconds);
}

double RegistryTransport::upload_bytes_per_second() const {
  const std::lock_guard lock(mutex_);
  return upload_bytes_per_second_;
}

RegistryAnswer RegistryTransport::send(const RegistryRequest& request) {
  const Url url = request.url ? *request.url : origin_.base().resolve(request.path);
  Scope scope = request.scope;
  RetryLoop retries(pace_, request.retrying == Retrying::once ? 2 : INT32_MAX);
  for (bool first = true;; first = false) {
    if (!first && request.body && !request.body->rewind()) {
      throw Error(Category::network, fmt::format("{} '{}': what was sent cannot be sent again",
                                                 to_string(request.method), url.redacted()));
    }
    try {
      RegistryAnswer answer = send_once(request, url, scope);
      if (request.method == HttpMethod::head && answer.response.status == 403)
        ask_for_reason(request, url, scope, answer);
      if (answer.response.status < 400) pace_.succeeded();
      if (request.retrying == Retrying::no || !retries.again(answer.response)) return answer;
    } catch (const TransportError& error) {
      if (request.retrying == Retrying::no || !retries.again(error)) throw;
    }
  }
}

// An answer to HEAD has no body, and only the body tells a throttled client from an unwelcome one: the same by GET.
void RegistryTransport::ask_for_reason(const RegistryRequest& request, const Url& url, Scope& scope,
                                       RegistryAnswer& answer) {
  RegistryRequest asking = request;
  asking.method = HttpMethod::get;
  asking.headers.add("Range", "bytes=0-0");
  asking.on_body = [](std::string_view) { return AfterPiece::stop; };
  try {
    HttpResponse reason = send_once(asking, url, scope).response;
    if (reason.status != answer.response.status) return;
    answer.response.body = std::move(reason.body);
    if (const auto pause = reason.headers.find("Retry-After"); pause && !answer.response.headers.find("Retry-After")) {
      answer.response.headers.add("Retry-After", *pause);
    }
  } catch (const TransportError&) {
    // Then the bare 403 stands.
  }
}

// One attempt: logs in and follows redirects, but meets no fault twice.
RegistryAnswer RegistryTransport::send_once(const RegistryRequest& request, const Url& url, Scope& scope) {
  Url at = url;
  int redirects = 0;
  int challenges = 0;
  const auto rewound = [&] { return !request.body || request.body->rewind(); };
  Authenticator& authenticator = this->authenticator(request.repository);
  for (;;) {
    const bool home = !request.anonymous && origin_.is_home(at);
    const std::string authorization = home ? authenticator.authorization(scope) : "";
    pace_.take();
    RegistryAnswer answer = send_to(request, at, authorization);
    const HttpResponse& response = answer.response;
    if (response.status == 401 && home && challenges < kMostChallenges) {
      ++challenges;
      const std::vector<std::string> fields = response.headers.all("WWW-Authenticate");
      if (!authorization.empty()) {
        for (const Challenge& challenge : parse_challenges(fields))
          scope = scope.with_text(challenge.parameter("scope"));
      }
      if (!authenticator.challenged(fields, authorization) || !rewound()) return answer;
      continue;
    }
    const auto location = response.headers.find("Location");
    const bool keeps_method = request.method == HttpMethod::get || request.method == HttpMethod::head ||
                              response.status == 307 || response.status == 308;
    if (!is_redirect(response.status) || !location || !keeps_method) return answer;
    if (++redirects > kMostRedirects) {
      throw Error(Category::network, fmt::format("{} '{}': redirected more than {} times", to_string(request.method),
                                                 url.redacted(), kMostRedirects));
    }
    at = follow(at, *location);
    if (!rewound()) return answer;
  }
}

RegistryAnswer RegistryTransport::send_to(const RegistryRequest& request, const Url& url,
                                          const std::string& authorization) {
  HttpRequest http;
  http.method = request.method;
  http.url = url;
  http.headers = request.headers;
  http.body = request.body;
  http.wants_body = request.wants_body;
  http.on_body = request.on_body;
  http.on_sent = request.on_sent;
  http.max_body_bytes = request.max_body_bytes;
  http.max_streamed_bytes = request.max_streamed_bytes;
  if (!authorization.empty()) http.headers.add("Authorization", authorization);
  RegistryAnswer answer{origin_.send(http), url, {}};
  answer.request.method = request.method;
  answer.request.url = url;
  return answer;
}

// A token server. Its URL comes from the registry, and it gets credentials: a redirect is followed within its own
// origin, and only where the request is the same there.
HttpResponse RegistryTransport::ask_realm(HttpRequest request) {
  origin_.base();
  origin_.check_led_to(request.url, true);
  RetryLoop retries(pace_);
  for (int redirects = 0;;) {
    try {
      if (request.body) request.body->rewind();
      HttpResponse response = origin_.send(request);
      if (is_redirect(response.status)) {
        const auto location = response.headers.find("Location");
        const bool keeps_request = request.method == HttpMethod::get && response.status != 303;
        const std::optional<Url> target = location ? std::optional(request.url.resolve(*location)) : std::nullopt;
        if (!keeps_request || !target || !same_origin(*target, request.url) || ++redirects > kMostRedirects) {
          throw Error(Category::network,
                      fmt::format("token server '{}' of registry '{}' answered with a redirect, which is not followed "
                                  "with credentials",
                                  request.url.redacted(), endpoint().authority));
        }
        request.url = *target;
        continue;
      }
      if (!retries.again(response)) return response;
    } catch (const TransportError& error) {
      // Who wants the token does not ask for it all over again.
      if (!retries.again(error)) throw TransportError(TransportFault::no_token, error.message(), 0, 0);
    }
  }
}

void RegistryTransport::refuse(const RegistryAnswer& answer, const std::string& repository) {
  RegistryError error = make_registry_error(answer.request, answer.response);
  const int status = answer.response.status;
  const bool is_throttled = classify_response(answer.response) == ResponseKind::throttled;
  if ((status == 401 || status == 403) && !is_home(answer.url) && !is_throttled) {
    error.add_context(
        fmt::format("'{}' refuses the link that registry '{}' led to: it ran out, this machine's clock is wrong, or a "
                    "proxy changes it; no login helps there",
                    answer.url.authority(), endpoint().authority));
  } else if (status == 401 || status == 403) {
    error.add_context("asked " + authenticator(repository).identity());
    const std::string advice = ghcr::is_ghcr(endpoint().authority) ? ghcr::advice(answer.response, repository) : "";
    if (!advice.empty()) {
      error.add_context(advice);
    } else if (is_throttled) {
      error.add_context("the registry throttles; try again later");
    } else {
      error.add_context(fmt::format("run 'kiln login {}' with an account that may do this", credentials_name_));
    }
  } else if (is_throttled) {
    const auto wait = requested_wait_seconds(answer.response, session_.clock().unix_seconds());
    error.add_context(wait ? fmt::format("the registry throttles; try again in {}", human_seconds(*wait))
                           : "the registry throttles; try again later");
  }
  throw error;
}

}  // namespace kiln

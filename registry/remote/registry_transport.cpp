#include "registry/remote/registry_transport.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "registry/remote/ghcr.hpp"

namespace kiln {

namespace {

constexpr int kMostRedirects = 10;
constexpr int kMostChallenges = 3;
constexpr int kConnectAttempts = 3;  // no server there: seldom cured by waiting

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// What a server that wants TLS says to plain http (Go's and nginx's words).
bool asks_for_tls(const HttpResponse& response) {
  return response.status == 400 && (response.body.find("HTTPS server") != std::string::npos ||
                                    response.body.find("HTTPS port") != std::string::npos);
}

bool broke_before_http(const TransportError& error) {
  return error.fault() == TransportFault::tls || error.fault() == TransportFault::reset ||
         error.fault() == TransportFault::protocol || error.fault() == TransportFault::truncated;
}

}  // namespace

bool RetryLoop::pause(double seconds) {
  ++transport_.session_.stats().retries;
  transport_.session_.clock().wait(seconds, transport_.session_.cancel());
  return true;
}

bool RetryLoop::again(const TransportError& fault) {
  const RetryPolicy& policy = transport_.session_.settings().retry;
  ++attempt_;
  if (!is_transient(fault.fault()) || attempt_ >= policy.attempts) return false;
  const bool nobody = fault.fault() == TransportFault::connect || fault.fault() == TransportFault::resolve;
  if (nobody && attempt_ >= kConnectAttempts) return false;
  const double delay = transport_.backoff(attempt_);
  transport_.session_.log().debug(fmt::format("{}; trying again in {:.2f}s", fault.message(), delay));
  return pause(delay);
}

bool RetryLoop::again(const HttpResponse& response) {
  const RetryPolicy& policy = transport_.session_.settings().retry;
  const ResponseKind kind = classify_response(response);
  ++attempt_;
  if (kind == ResponseKind::final || attempt_ >= policy.attempts) return false;
  double delay = transport_.backoff(attempt_);
  WaitClock& clock = transport_.session_.clock();
  if (const auto asked = requested_wait_seconds(response, clock.unix_seconds())) {
    if (*asked > policy.max_wait_seconds) return false;
    delay = std::max(delay, *asked);
  }
  transport_.session_.log().debug(fmt::format("registry '{}' answered {}; trying again in {:.2f}s",
                                              transport_.endpoint_.authority, response.status, delay));
  if (kind == ResponseKind::throttled) transport_.bucket_.throttle(clock, delay);
  return pause(delay);
}

RegistryTransport::RegistryTransport(RemoteSession& session, Endpoint endpoint, std::string credentials_name)
    : session_(session),
      endpoint_(std::move(endpoint)),
      credentials_name_(std::move(credentials_name)),
      // A loopback registry is shared with no one; its bucket only keeps the pauses it asks for.
      bucket_(oci::is_loopback_registry(endpoint_.authority) ? 1e6 : session.settings().requests_per_second,
              oci::is_loopback_registry(endpoint_.authority) ? 1e6 : session.settings().request_burst),
      random_(std::random_device{}()) {}

double RegistryTransport::backoff(int attempt) {
  const std::lock_guard lock(mutex_);
  return backoff_seconds(session_.settings().retry, attempt, random_);
}

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

const Url& RegistryTransport::base() {
  const std::lock_guard lock(base_mutex_);
  if (!base_) {
    RetryLoop retries(*this);
    for (;;) {
      try {
        base_ = find_base();
        break;
      } catch (const TransportError& error) {
        if (!retries.again(error)) throw;
      }
    }
  }
  return *base_;
}

// https without asking, for all but loopback and insecure registries: those are asked which of the two they
// speak.
Url RegistryTransport::find_base() {
  const Url https = Url::parse("https://" + endpoint_.authority + "/");
  const bool insecure = endpoint_.security == Security::insecure;
  const bool loopback = oci::is_loopback_registry(endpoint_.authority);
  if (!insecure && !loopback) return https;
  const Url http = Url::parse("http://" + endpoint_.authority + "/");
  const auto ask = [&](const Url& url) {
    HttpRequest request;
    request.url = url;
    request.url.path = "/v2/";
    if (insecure) request.tls = TlsCheck::none;
    HttpResponse response = send_counted(request);
    learn_address(url, response);
    return response;
  };
  const bool has_certificates = !find_certificates(certificate_folders(), endpoint_.authority).authorities.empty();
  if (loopback && !insecure && has_certificates) return https;
  if (loopback) {
    try {
      if (!asks_for_tls(ask(http))) return http;
    } catch (const TransportError& error) {
      if (!broke_before_http(error)) throw;
      try {
        ask(https);
      } catch (const TransportError& other) {
        if (other.fault() == TransportFault::tls && other.message().find("certificate") != std::string::npos) throw;
        throw error;
      }
    }
    return https;
  }
  try {
    ask(https);
    return https;
  } catch (const TransportError& error) {
    if (error.fault() == TransportFault::resolve || error.fault() == TransportFault::stalled) throw;
    try {
      ask(http);
    } catch (const TransportError&) {
      throw error;
    }
    return http;
  }
}

RegistryAnswer RegistryTransport::send(const RegistryRequest& request) {
  const Url url = request.url ? *request.url : base().resolve(request.path);
  Scope scope = request.scope;
  RetryLoop retries(*this);
  for (bool first = true;; first = false) {
    if (!first && request.body && !request.body->rewind()) {
      throw Error(Category::network, fmt::format("{} '{}': what was sent cannot be sent again",
                                                 to_string(request.method), url.redacted()));
    }
    try {
      RegistryAnswer answer = send_once(request, url, scope);
      if (request.method == HttpMethod::head && answer.response.status == 403)
        ask_for_reason(request, url, scope, answer);
      if (answer.response.status < 400) bucket_.succeeded();
      if (request.retrying == Retrying::no || !retries.again(answer.response)) return answer;
    } catch (const TransportError& error) {
      if (request.retrying == Retrying::no || !retries.again(error)) throw;
    }
  }
}

// An answer to HEAD has no body, and only the body tells a throttled client from an unwelcome one: the same by GET.
void RegistryTransport::ask_for_reason(const RegistryRequest& request, const Url& url, Scope& scope,
                                       RegistryAnswer& answer) {
  constexpr std::uint64_t kMostBytes = 65536;
  RegistryRequest asking = request;
  asking.method = HttpMethod::get;
  asking.headers.add("Range", "bytes=0-0");
  asking.on_body = [](std::string_view) {};
  asking.max_streamed_bytes = kMostBytes;
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
    const bool home = same_origin(at, base());
    const std::string authorization = home ? authenticator.authorization(scope) : "";
    bucket_.take(session_.clock(), session_.cancel());
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
  const bool own_host = url.host == base().host;
  http.most_private = own_host ? AddressClass::link_local : own_class();
  if (session_.registries().is_insecure(url.authority()) || (own_host && endpoint_.security == Security::insecure)) {
    http.tls = TlsCheck::none;
  }
  RegistryAnswer answer{send_counted(http), url, {}};
  if (own_host) learn_address(url, answer.response);
  answer.request.method = request.method;
  answer.request.url = url;
  return answer;
}

HttpResponse RegistryTransport::send_counted(HttpRequest& request) {
  ++session_.stats().requests;
  return session_.http().send(request, session_.cancel());
}

// A token server. Its URL comes from the registry, and it gets credentials.
HttpResponse RegistryTransport::ask_realm(HttpRequest request) {
  check_led_to(request.url, true);
  const bool own_host = request.url.host == base().host;
  request.most_private = own_host ? AddressClass::link_local : own_class();
  if (session_.registries().is_insecure(request.url.authority()) ||
      (own_host && endpoint_.security == Security::insecure)) {
    request.tls = TlsCheck::none;
  }
  RetryLoop retries(*this);
  for (;;) {
    try {
      if (request.body) request.body->rewind();
      HttpResponse response = send_counted(request);
      if (is_redirect(response.status)) {
        throw Error(Category::network,
                    fmt::format("token server '{}' of registry '{}' answered with a redirect, which is "
                                "not followed with credentials",
                                request.url.redacted(), endpoint_.authority));
      }
      if (!retries.again(response)) return response;
    } catch (const TransportError& error) {
      if (!retries.again(error)) throw;
    }
  }
}

AddressClass RegistryTransport::own_class() const {
  const std::lock_guard lock(mutex_);
  if (class_) return *class_;
  const std::string host = Url::parse("https://" + endpoint_.authority).host;
  if (is_numeric_address(host)) return classify_address(host);
  return oci::is_loopback_registry(endpoint_.authority) ? AddressClass::loopback : AddressClass::public_network;
}

void RegistryTransport::learn_address(const Url& url, const HttpResponse& response) {
  if (response.remote_address.empty() ||
      url.authority() != Url::parse(url.scheme + "://" + endpoint_.authority).authority())
    return;
  const std::lock_guard lock(mutex_);
  if (!class_) class_ = classify_address(response.remote_address);
}

void RegistryTransport::check_led_to(const Url& url, bool carries_credentials) const {
  const bool home = same_origin(url, *base_);
  if (home) return;
  if (!url.is_https() && base_->is_https()) {
    throw Error(Category::network,
                fmt::format("registry '{}' leads from https to '{}', which is not encrypted; if it stands behind a "
                            "proxy that ends TLS, that proxy must send X-Forwarded-Proto",
                            endpoint_.authority, url.redacted()));
  }
  if (!url.is_https() && carries_credentials && !oci::is_loopback_registry(url.host) && url.host != base_->host &&
      !session_.registries().is_insecure(url.authority())) {
    throw Error(Category::network,
                fmt::format("registry '{}' asks for credentials to be sent to '{}', which is not encrypted; "
                            "mark '{}' as insecure in registries.conf if that is meant",
                            endpoint_.authority, url.redacted(), url.authority()));
  }
  // A name is checked when it is connected to; an address can be refused before that, and a proxy would not
  // do it.
  if (url.host != base_->host && is_numeric_address(url.host) && classify_address(url.host) > own_class()) {
    throw TransportError(TransportFault::refused,
                         fmt::format("registry '{}' leads to the {} address '{}', which it has no business with",
                                     endpoint_.authority, to_string(classify_address(url.host)), url.redacted()),
                         0, 0);
  }
}

Url RegistryTransport::follow(const Url& from, std::string_view location) {
  base();
  const Url target = with_context(
      [&] { return fmt::format("where registry '{}' leads from '{}'", endpoint_.authority, from.redacted()); },
      [&] { return from.resolve(location); });
  check_led_to(target, false);
  return target;
}

void RegistryTransport::refuse(const RegistryAnswer& answer, const std::string& repository) {
  RegistryError error = make_registry_error(answer.request, answer.response);
  const int status = answer.response.status;
  if (status == 401 || status == 403) {
    error.add_context("asked " + authenticator(repository).identity());
    const std::string advice = ghcr::is_ghcr(endpoint_.authority) ? ghcr::advice(answer.response, repository) : "";
    if (!advice.empty()) {
      error.add_context(advice);
    } else if (classify_response(answer.response) == ResponseKind::throttled) {
      error.add_context("the registry throttles; try again later");
    } else {
      error.add_context(fmt::format("run 'kiln login {}' with an account that may do this", credentials_name_));
    }
  } else if (classify_response(answer.response) == ResponseKind::throttled) {
    const auto wait = requested_wait_seconds(answer.response, session_.clock().unix_seconds());
    error.add_context(wait ? fmt::format("the registry throttles; try again in {}", human_seconds(*wait))
                           : "the registry throttles; try again later");
  }
  throw error;
}

}  // namespace kiln

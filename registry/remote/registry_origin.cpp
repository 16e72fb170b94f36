#include "registry/remote/registry_origin.hpp"

#include <fmt/format.h>

#include "registry/oci/reference.hpp"

namespace kiln {

namespace {

// What a server that wants TLS says to plain http (Go's and nginx's words).
bool asks_for_tls(const HttpResponse& response) {
  return response.status == 400 && (response.body.find("HTTPS server") != std::string::npos ||
                                    response.body.find("HTTPS port") != std::string::npos);
}

bool broke_before_http(const TransportError& error) {
  switch (error.fault()) {
    case TransportFault::tls:
    case TransportFault::no_tls:
    case TransportFault::reset:
    case TransportFault::protocol:
    case TransportFault::truncated:
      return true;
    default:
      return false;
  }
}

}  // namespace

RegistryOrigin::RegistryOrigin(RemoteSession& session, Endpoint endpoint, RegistryPace& pace)
    : session_(session), endpoint_(std::move(endpoint)), pace_(pace) {}

const Url& RegistryOrigin::base() {
  const std::lock_guard lock(base_mutex_);
  if (!base_) {
    RetryLoop retries(pace_);
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

// https without asking, for all but loopback and insecure registries: those are asked which of the two they speak.
Url RegistryOrigin::find_base() {
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

HttpResponse RegistryOrigin::send_counted(HttpRequest& request) {
  ++session_.stats().requests;
  return session_.http().send(request, session_.cancel());
}

HttpResponse RegistryOrigin::send(HttpRequest& request) {
  const bool own_host = request.url.host == base().host;
  request.most_private = own_host ? AddressClass::link_local : own_class();
  // Of the registry itself its repository's place says it; another one of its host may be another registry.
  const bool is_own = request.url.authority() == base().authority();
  if ((own_host && endpoint_.security == Security::insecure) ||
      (!is_own && session_.registries().is_insecure_host(request.url.authority()))) {
    request.tls = TlsCheck::none;
  }
  try {
    HttpResponse response = send_counted(request);
    if (own_host) learn_address(request.url, response);
    return response;
  } catch (TransportError& error) {
    if (error.fault() == TransportFault::no_tls) {
      error.add_context(fmt::format(
          "where plain http is meant, mark it in registries.conf: [[registry]] location = \"{}\", insecure = true",
          request.url.authority()));
    }
    throw;
  }
}

AddressClass RegistryOrigin::own_class() const {
  const std::lock_guard lock(class_mutex_);
  if (class_) return *class_;
  const std::string host = Url::parse("https://" + endpoint_.authority).host;
  if (is_numeric_address(host)) return classify_address(host);
  return oci::is_loopback_registry(endpoint_.authority) ? AddressClass::loopback : AddressClass::public_network;
}

void RegistryOrigin::learn_address(const Url& url, const HttpResponse& response) {
  if (response.remote_address.empty() ||
      url.authority() != Url::parse(url.scheme + "://" + endpoint_.authority).authority())
    return;
  const std::lock_guard lock(class_mutex_);
  if (!class_) class_ = classify_address(response.remote_address);
}

void RegistryOrigin::check_led_to(const Url& url, bool carries_credentials) const {
  if (same_origin(url, *base_)) return;
  if (!url.is_https() && base_->is_https()) {
    throw Error(Category::network,
                fmt::format("registry '{}' leads from https to '{}', which is not encrypted; if it stands behind a "
                            "proxy that ends TLS, that proxy must send X-Forwarded-Proto",
                            endpoint_.authority, url.redacted()));
  }
  if (!url.is_https() && carries_credentials && !oci::is_loopback_registry(url.host) && url.host != base_->host &&
      !session_.registries().is_insecure_host(url.authority())) {
    throw Error(Category::network,
                fmt::format("registry '{}' asks for credentials to be sent to '{}', which is not encrypted; "
                            "mark '{}' as insecure in registries.conf if that is meant",
                            endpoint_.authority, url.redacted(), url.authority()));
  }
  // A name is checked when it is connected to; an address can be refused before that, and a proxy would not do it.
  if (url.host != base_->host && is_numeric_address(url.host) && classify_address(url.host) > own_class()) {
    throw TransportError(TransportFault::refused,
                         fmt::format("registry '{}' leads to the {} address '{}', which it has no business with",
                                     endpoint_.authority, to_string(classify_address(url.host)), url.redacted()),
                         0, 0);
  }
}

Url RegistryOrigin::follow(const Url& from, std::string_view location) {
  base();
  const Url target = with_context(
      [&] { return fmt::format("where registry '{}' leads from '{}'", endpoint_.authority, from.redacted()); },
      [&] { return from.resolve(location); });
  check_led_to(target, false);
  return target;
}

}  // namespace kiln

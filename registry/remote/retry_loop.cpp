#include "registry/remote/retry_loop.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "registry/oci/reference.hpp"

namespace kiln {

namespace {

// A loopback registry is used by this machine alone; its bucket only keeps the pauses it asks for.
constexpr double kUnlimited = 1e6;

double rate_for(const std::string& authority, double rate) {
  return oci::is_loopback_registry(authority) ? kUnlimited : rate;
}

// Faults that waiting seldom cures, or that took long already.
int most_attempts_at(TransportFault fault) {
  switch (fault) {
    case TransportFault::connect:
    case TransportFault::resolve:
    case TransportFault::stalled:
      return 3;
    default:
      return INT32_MAX;
  }
}

}  // namespace

RegistryPace::RegistryPace(RemoteSession& session, std::string authority)
    : session_(session),
      authority_(std::move(authority)),
      bucket_(rate_for(authority_, session.settings().requests_per_second),
              rate_for(authority_, session.settings().request_burst)),
      random_(std::random_device{}()) {}

double RegistryPace::backoff(int attempt) {
  const std::lock_guard lock(mutex_);
  return backoff_seconds(session_.settings().retry, attempt, random_);
}

RetryLoop::RetryLoop(RegistryPace& pace, int most_attempts)
    : pace_(pace), most_attempts_(std::min(most_attempts, pace.session_.settings().retry.attempts)) {}

bool RetryLoop::pause(double seconds) {
  ++pace_.session_.stats().retries;
  pace_.session_.clock().wait(seconds, pace_.session_.cancel());
  return true;
}

bool RetryLoop::again(const TransportError& fault) {
  ++attempt_;
  if (!is_transient(fault.fault()) || attempt_ >= std::min(most_attempts_, most_attempts_at(fault.fault())))
    return false;
  const double delay = pace_.backoff(attempt_);
  pace_.session_.log().debug(fmt::format("{}; trying again in {:.2f}s", fault.message(), delay));
  return pause(delay);
}

bool RetryLoop::again(const HttpResponse& response) {
  const ResponseKind kind = classify_response(response);
  ++attempt_;
  if (kind == ResponseKind::final || attempt_ >= most_attempts_) return false;
  double delay = pace_.backoff(attempt_);
  WaitClock& clock = pace_.session_.clock();
  if (const auto asked = requested_wait_seconds(response, clock.unix_seconds())) {
    if (*asked > pace_.session_.settings().retry.max_wait_seconds) return false;
    delay = std::max(delay, *asked);
  }
  pace_.session_.log().debug(
      fmt::format("registry '{}' answered {}; trying again in {:.2f}s", pace_.authority_, response.status, delay));
  if (kind == ResponseKind::throttled) pace_.bucket_.throttle(clock, delay);
  return pause(delay);
}

}  // namespace kiln

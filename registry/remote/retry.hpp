#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <random>

#include "base/cancel.hpp"
#include "base/clock.hpp"
#include "registry/remote/http.hpp"

namespace kiln {

// Time as the retry code sees it; tests hand in one that does not sleep. Any thread.
class WaitClock {
 public:
  virtual ~WaitClock() = default;
  virtual double monotonic_seconds() = 0;
  virtual UnixSeconds unix_seconds() = 0;
  // Returns early, with Error{cancelled}, when `cancel` fires.
  virtual void wait(double seconds, const CancelToken& cancel) = 0;
};

WaitClock& system_wait_clock();

struct RetryPolicy {
  int attempts = 7;  // the first one included
  double first_delay_seconds = 0.25;
  double max_delay_seconds = 20;  // of our own; a Retry-After may ask for more
  double max_wait_seconds = 300;  // longest Retry-After that is obeyed; a longer one is an error that says so
};

// The pause before attempt `attempt` + 1 (from 1 on): exponential, with full jitter above a half.
double backoff_seconds(const RetryPolicy& policy, int attempt, std::mt19937_64& random);

enum class ResponseKind {
  final,      // success, redirect, or an error that asking again will not cure
  transient,  // 408, 5xx but 501 and 505
  throttled,  // 429, or 403 that names a rate limit (GHCR's "secondary rate limit")
};
ResponseKind classify_response(const HttpResponse& response);

// Faults of the transport that may be gone the next time.
bool is_transient(TransportFault fault);

// How long the registry asks to wait: Retry-After in seconds or as a date, or "retry-after: 12.5s" and the
// like within the message of the body (GHCR). nullopt where it says nothing.
std::optional<double> requested_wait_seconds(const HttpResponse& response, UnixSeconds now);

// One per registry and process: requests take a token each, and when the registry throttles everybody pauses
// and goes on slower. Any thread.
class TokenBucket {
 public:
  TokenBucket(double tokens_per_second, double capacity);

  // Waits until there is a token and no pause.
  void take(WaitClock& clock, const CancelToken& cancel);
  // The registry throttled: nothing is sent for `seconds`, and the rate is halved (not below one a second).
  void throttle(WaitClock& clock, double seconds);
  // A request went well: the rate creeps back to where it began.
  void succeeded();

 private:
  std::mutex mutex_;
  double full_rate_;
  double rate_;
  double capacity_;
  double tokens_;
  double last_ = 0;
  double paused_until_ = 0;
};

}  // namespace kiln

#include "registry/remote/retry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "base/http_date.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

class SystemWaitClock : public WaitClock {
 public:
  double monotonic_seconds() override { return kiln::monotonic_seconds(); }
  UnixSeconds unix_seconds() override { return now_unix_seconds(); }
  void wait(double seconds, const CancelToken& cancel) override {
    const double end = kiln::monotonic_seconds() + seconds;
    for (;;) {
      cancel.check();
      const double left = end - kiln::monotonic_seconds();
      if (left <= 0) return;
      std::this_thread::sleep_for(std::chrono::duration<double>(std::min(left, 0.05)));
    }
  }
};

// A Go duration as registries print it: "44.204ms", "1m30.5s", "20s"; a bare number is seconds. nullopt for
// others.
std::optional<double> parse_duration(std::string_view text) {
  double seconds = 0;
  bool any = false;
  while (!text.empty() && (std::isdigit(static_cast<unsigned char>(text[0])) || (text[0] == '.' && !any))) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789."), text.size());
    const std::string number(text.substr(0, std::min<std::size_t>(end, 32)));
    const double value = std::strtod(number.c_str(), nullptr);
    text.remove_prefix(end);
    double unit = 1;
    std::size_t length = 0;
    if (text.starts_with("ms")) {
      unit = 1e-3, length = 2;
    } else if (text.starts_with("ns")) {
      unit = 1e-9, length = 2;
    } else if (text.starts_with("us") || text.starts_with("\xC2\xB5s")) {
      unit = 1e-6, length = text.starts_with("us") ? 2 : 3;
    } else if (text.starts_with("h")) {
      unit = 3600, length = 1;
    } else if (text.starts_with("m")) {
      unit = 60, length = 1;
    } else if (text.starts_with("s")) {
      length = 1;
    }
    seconds += value * unit;
    any = true;
    text.remove_prefix(length);
    if (length == 0) break;
  }
  if (!any || !std::isfinite(seconds)) return std::nullopt;
  return seconds;
}

bool names_rate_limit(std::string_view body) {
  const std::string text = to_lower(body);
  return text.find("rate limit") != std::string::npos || text.find("toomanyrequests") != std::string::npos ||
         text.find("retry-after") != std::string::npos || text.find("abuse detection") != std::string::npos;
}

}  // namespace

WaitClock& system_wait_clock() {
  static SystemWaitClock clock;
  return clock;
}

double backoff_seconds(const RetryPolicy& policy, int attempt, std::mt19937_64& random) {
  const double full =
      std::min(policy.max_delay_seconds, policy.first_delay_seconds * std::pow(2.0, std::min(attempt - 1, 30)));
  return full * std::uniform_real_distribution<double>(0.5, 1.0)(random);
}

ResponseKind classify_response(const HttpResponse& response) {
  const int status = response.status;
  if (status == 429) return ResponseKind::throttled;
  if (status == 403 && (response.headers.find("Retry-After") || names_rate_limit(response.body))) {
    return ResponseKind::throttled;
  }
  if (status == 503 && response.headers.find("Retry-After")) return ResponseKind::throttled;
  if (status == 408 || (status >= 500 && status != 501 && status != 505)) return ResponseKind::transient;
  return ResponseKind::final;
}

bool is_transient(TransportFault fault) {
  switch (fault) {
    case TransportFault::resolve:
    case TransportFault::connect:
    case TransportFault::reset:
    case TransportFault::stalled:
    case TransportFault::truncated:
    case TransportFault::protocol:
      return true;
    case TransportFault::tls:
    case TransportFault::no_tls:
    case TransportFault::too_large:
    case TransportFault::header:
    case TransportFault::no_token:
    case TransportFault::refused:
      return false;
  }
  return false;
}

std::optional<double> requested_wait_seconds(const HttpResponse& response, UnixSeconds now) {
  if (const auto field = response.headers.find("Retry-After")) {
    if (const auto seconds = parse_unsigned(trim(*field))) return static_cast<double>(*seconds);
    if (const auto date = parse_http_date(*field)) return std::max<double>(0, static_cast<double>(*date - now));
  }
  const std::string body = to_lower(response.body);
  constexpr std::string_view kName = "retry-after";
  if (const std::size_t at = body.find(kName); at != std::string::npos) {
    const std::string_view rest = std::string_view(body).substr(at + kName.size());
    const std::size_t begin = rest.find_first_not_of(": \t=\"'\\");
    if (begin != std::string_view::npos) return parse_duration(rest.substr(begin));
  }
  return std::nullopt;
}

TokenBucket::TokenBucket(double tokens_per_second, double capacity)
    : full_rate_(tokens_per_second), rate_(tokens_per_second), capacity_(capacity), tokens_(capacity) {}

void TokenBucket::take(WaitClock& clock, const CancelToken& cancel) {
  for (;;) {
    double wait;
    {
      const std::lock_guard lock(mutex_);
      const double now = clock.monotonic_seconds();
      if (last_ != 0) tokens_ = std::min(capacity_, tokens_ + (now - last_) * rate_);
      last_ = now;
      if (now >= paused_until_ && tokens_ >= 1) {
        tokens_ -= 1;
        return;
      }
      wait = std::max({paused_until_ - now, (1 - tokens_) / rate_, 0.001});
    }
    clock.wait(wait, cancel);
  }
}

void TokenBucket::throttle(WaitClock& clock, double seconds) {
  const std::lock_guard lock(mutex_);
  const double until = clock.monotonic_seconds() + seconds;
  // Requests that were under way together are refused together; that is one lesson, not many.
  if (clock.monotonic_seconds() >= paused_until_) {
    rate_ = std::max(1.0, rate_ / 2);
    tokens_ = std::min(tokens_, 1.0);
  }
  paused_until_ = std::max(paused_until_, until);
}

void TokenBucket::succeeded() {
  const std::lock_guard lock(mutex_);
  rate_ = std::min(full_rate_, rate_ * 1.02);
}

}  // namespace kiln

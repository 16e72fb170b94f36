#include "registry/remote/retry.hpp"

#include <algorithm>
#include <cmath>

#include "tests/support/check_error.hpp"
#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {
HttpResponse answer(int status, std::string body = {}, std::string retry_after = {}) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  if (!retry_after.empty()) response.headers.add("retry-after", retry_after);
  return response;
}
}  // namespace

TEST_CASE("answers are final, transient or throttling") {
  for (const int status : {200, 201, 307, 400, 401, 403, 404, 405, 416, 501})
    CHECK(classify_response(answer(status)) == ResponseKind::final);
  for (const int status : {408, 500, 502, 503, 504})
    CHECK(classify_response(answer(status)) == ResponseKind::transient);
  CHECK(classify_response(answer(429)) == ResponseKind::throttled);
  CHECK(classify_response(answer(403, "You have exceeded a secondary rate limit")) == ResponseKind::throttled);
  CHECK(classify_response(answer(403, "denied: permission_denied: write_package")) == ResponseKind::final);
}

TEST_CASE("the wished pause is read from the field or the message") {
  const UnixSeconds now = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT
  CHECK(requested_wait_seconds(answer(429, "", "120"), now) == 120);
  CHECK(requested_wait_seconds(answer(429, "", "Sun, 06 Nov 1994 08:50:37 GMT"), now) == 60);
  CHECK(requested_wait_seconds(answer(429, "", "Sun, 06 Nov 1994 08:00:00 GMT"), now) == 0);
  CHECK(requested_wait_seconds(answer(429, "retry-after: 1m30.5s, allowed: 1/minute"), now) == doctest::Approx(90.5));
  CHECK(requested_wait_seconds(answer(403, R"({"message":"slow, \"Retry-After\": 5"})"), now) == doctest::Approx(5));
  CHECK_FALSE(requested_wait_seconds(answer(429, "retry-after: soon", "soon"), now).has_value());
  CHECK_FALSE(requested_wait_seconds(answer(429), now).has_value());
}

TEST_CASE("pauses grow, with jitter, up to a limit") {
  std::mt19937_64 random(7);
  const RetryPolicy policy;
  for (int attempt = 1; attempt < 20; ++attempt) {
    const double full = std::min(policy.max_delay_seconds, policy.first_delay_seconds * std::pow(2.0, attempt - 1));
    const double delay = backoff_seconds(policy, attempt, random);
    CHECK(delay >= full / 2);
    CHECK(delay <= full);
  }
}

TEST_CASE("a bucket lets a burst through and then its rate") {
  FakeClock clock;
  CancelToken cancel;
  TokenBucket bucket(10, 5);
  for (int i = 0; i < 5; ++i) bucket.take(clock, cancel);
  CHECK(clock.waits().empty());
  const double before = clock.monotonic_seconds();
  for (int i = 0; i < 10; ++i) bucket.take(clock, cancel);
  CHECK(clock.monotonic_seconds() - before == doctest::Approx(1.0).epsilon(0.05));
}

TEST_CASE("a throttled bucket pauses everybody and goes on slower") {
  FakeClock clock;
  CancelToken cancel;
  TokenBucket bucket(10, 5);
  bucket.take(clock, cancel);
  bucket.throttle(clock, 30);
  bucket.throttle(clock, 20);  // the answers of requests that were under way
  const auto seconds_of_takes = [&](int takes) {
    const double before = clock.monotonic_seconds();
    for (int i = 0; i < takes; ++i) bucket.take(clock, cancel);
    return clock.monotonic_seconds() - before;
  };
  CHECK(seconds_of_takes(1) >= 30);
  seconds_of_takes(5);  // what gathered during the pause
  CHECK(seconds_of_takes(10) == doctest::Approx(2.0).epsilon(0.05));
  for (int i = 0; i < 200; ++i) bucket.succeeded();
  CHECK(seconds_of_takes(10) == doctest::Approx(1.0).epsilon(0.05));
}

TEST_CASE("a wait ends when it is cancelled") {
  CancelToken cancel;
  cancel.cancel(2);
  CHECK_ERROR(system_wait_clock().wait(1000, cancel), Category::cancelled, "stopped on request");
}

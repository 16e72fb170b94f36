#include "builder/release/health_probe.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "base/clock.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "registry/remote/http.hpp"

namespace kiln {

namespace {

constexpr double kPauseSeconds = 1;

// Fires its token at a point in time, or when another one fires.
class Deadline {
 public:
  Deadline(double at_seconds, const CancelToken& outer)
      : thread_([this, at_seconds, outer] {
          while (!ended_ && !outer.is_cancelled() && monotonic_seconds() < at_seconds)
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
          if (!ended_) token_.cancel(SIGTERM);
        }) {}
  ~Deadline() {
    ended_ = true;
    thread_.join();
  }
  const CancelToken& token() const noexcept { return token_; }

 private:
  CancelToken token_;
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

std::optional<std::string> ask_url(HttpClient& http, const Url& url, const CancelToken& cancel) {
  HttpRequest request;
  request.url = url;
  request.max_body_bytes = std::uint64_t{1} << 20;
  const HttpResponse response = http.send(request, cancel);
  if (response.status >= 200 && response.status < 300) return std::nullopt;
  return fmt::format("'{}' answered {}", url.redacted(), response.status);
}

std::optional<std::string> ask_command(const std::string& line, const CancelToken& cancel) {
  Command command;
  command.argv = {"/bin/sh", "-c", line};
  const CommandResult result = run_command(command, cancel);
  if (result.exit_code == 0) return std::nullopt;
  const std::string_view said = trim(result.stderr_bytes.empty() ? result.stdout_bytes : result.stderr_bytes);
  const std::string last(said.substr(said.rfind('\n') + 1).substr(0, 500));
  return fmt::format("the command ended with exit code {}{}", result.exit_code,
                     last.empty() ? "" : ": " + printable(last));
}

}  // namespace

std::optional<std::string> probe_health(const HealthCheck& check, const CancelToken& cancel) {
  const double end = monotonic_seconds() + check.timeout_ms / 1000.0;
  const std::string in_time = fmt::format("no answer within {}", human_seconds(check.timeout_ms / 1000.0));
  std::unique_ptr<HttpClient> http;
  Url url;
  if (check.kind == HealthCheck::Kind::url) {
    url = Url::parse(check.subject);
    HttpOptions options;
    options.proxies = ProxySettings::from_environment();
    http = make_curl_client(std::move(options));
  }
  const Deadline deadline(end, cancel);
  std::optional<std::string> last = in_time;
  while (true) {
    try {
      last = http ? ask_url(*http, url, deadline.token()) : ask_command(check.subject, deadline.token());
      if (!last) return std::nullopt;
    } catch (const TransportError& error) {
      last = error.message();
    } catch (const Error& error) {
      if (error.category() != Category::cancelled) throw;
    }
    cancel.check();
    if (deadline.token().is_cancelled() || monotonic_seconds() + kPauseSeconds >= end) return last;
    for (const double next = monotonic_seconds() + kPauseSeconds; monotonic_seconds() < next; cancel.check()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

}  // namespace kiln

#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "registry/oci/reference.hpp"
#include "registry/remote/remote_session.hpp"
#include "tests/fuzz/attempt.hpp"

// A server's side of whole conversations: an input is its answers, one after the other.
//
//   answer = STATUS ( LF FIELD ":" VALUE )* LF LF body; answers are parted by kPart
namespace kiln::fuzz {

inline constexpr std::string_view kPart = "\n====\n";
inline constexpr std::string_view kPassword = "canary-9b";
inline constexpr std::size_t kMostRequests = 200;

// Messages must not hold the password, unless the registry itself says it.
class WatchedLog : public Log {
 public:
  explicit WatchedLog(std::string_view input) : is_said_(input.find(kPassword) != std::string_view::npos) {}

  void info(std::string_view message) override { check(message); }
  void warn(std::string_view message) override { check(message); }
  void debug(std::string_view message) override { check(message); }
  void check(std::string_view message) const {
    require(is_said_ || message.find(kPassword) == std::string_view::npos, "a message holds the password");
  }

 private:
  bool is_said_;
};

// Time that passes by waiting alone.
class WaitedClock : public WaitClock {
 public:
  double monotonic_seconds() override { return now_; }
  UnixSeconds unix_seconds() override { return 1'700'000'000 + static_cast<UnixSeconds>(now_); }
  void wait(double seconds, const CancelToken&) override {
    require(seconds >= 0, "a wait of less than nothing");
    now_ += seconds;
  }

 private:
  double now_ = 1000;
};

// Of several threads each gets the next one.
class GivenAnswers : public HttpClient {
 public:
  explicit GivenAnswers(std::string_view answers) : rest_(answers) {}

  HttpResponse send(const HttpRequest& request, const CancelToken&) override {
    const std::lock_guard lock(mutex_);
    require(++requests_ <= kMostRequests, "requests without an end");
    require(request.url.is_https() || oci::is_loopback_registry(request.url.host), "a request over http");
    for (const auto& [name, value] : request.headers.fields())
      for (const char c : value) require(c != '\r' && c != '\n' && c != '\0', "a field holds what ends it");
    if (rest_.empty()) throw TransportError(TransportFault::no_tls, "there are no more answers", 0, 0);
    const std::size_t end = rest_.find(kPart);
    HttpResponse response = parse(rest_.substr(0, end));
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + kPart.size());
    if (response.body.size() > request.max_body_bytes)
      throw TransportError(TransportFault::too_large, "the answer is too large", 0, 0);
    if (request.on_body && response.status < 300 && response.status >= 200) {
      response.was_stopped = request.on_body(response.body) == AfterPiece::stop;
      response.body.clear();
    }
    return response;
  }

 private:
  static HttpResponse parse(std::string_view text) {
    HttpResponse response;
    response.remote_address = "93.184.216.34";
    const std::size_t end = std::min(text.find("\n\n"), text.size());
    std::string_view head = text.substr(0, end);
    response.body = text.substr(std::min(end + 2, text.size()));
    response.received_bytes = response.body.size();
    const auto line = [&] {
      const std::size_t at = std::min(head.find('\n'), head.size());
      const std::string_view found = head.substr(0, at);
      head.remove_prefix(std::min(at + 1, head.size()));
      return found;
    };
    response.status = 200;
    const std::string_view status = line();
    if (status.size() == 3 && status[0] >= '1' && status[0] <= '5')
      response.status = (status[0] - '0') * 100 + (status[1] & 7) * 10 + (status[2] & 15) % 10;
    while (!head.empty()) {
      const std::string_view field = line();
      const std::size_t colon = field.find(':');
      if (colon == std::string_view::npos) continue;
      const std::string_view value = field.substr(colon + 1);
      // curl lets none of these through.
      if (value.find_first_of(std::string_view("\r\0", 2)) != std::string_view::npos) continue;
      response.headers.add(std::string(field.substr(0, colon)), std::string(value));
    }
    return response;
  }

  std::mutex mutex_;
  std::string_view rest_;
  std::size_t requests_ = 0;
};

// Asks what the first byte of the input says, in a session that gets the rest as answers. They may be refused as the
// network's, and nobody is told the password.
inline void converse(std::string_view input, void (*ask)(char what, RemoteSession& session)) {
  if (input.empty()) return;
  const std::string_view answers = input.substr(1);
  WatchedLog log(answers);
  WaitedClock clock;
  RemoteSettings settings;
  settings.credentials.flags = Credentials{"tester", std::string(kPassword), "", "", "test"};
  settings.parallel_requests = 1;
  RemoteSession session(std::make_unique<GivenAnswers>(answers), settings, log, CancelToken(), clock);
  try {
    ask(input[0], session);
  } catch (const Error& error) {
    require(error.category() == Category::network, "another category");
    log.check(error.message());
  }
}

}  // namespace kiln::fuzz

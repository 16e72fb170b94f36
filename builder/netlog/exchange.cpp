#include "builder/netlog/exchange.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <array>
#include <utility>

#include "base/error.hpp"

namespace kiln {

namespace {

constexpr std::size_t kMostWaitingBytes = std::size_t{256} << 10;  // in either direction

// Of an answer: what is between a server and its client, and an offer of another way to the server (HTTP/3) that would
// lead around the proxy.
constexpr std::array<const char*, 6> kAnswerHopFields = {"Connection", "Keep-Alive", "Proxy-Connection",
                                                         "Upgrade",    "Alt-Svc",    "Proxy-Authenticate"};

}  // namespace

void Exchange::end_answer(bool is_whole) {
  if (std::exchange(is_over_, true) || answer_status == 0) return;
  note({url, method, answer_status, bytes_, is_whole && bytes_ > 0 ? std::optional(sum_.finish()) : std::nullopt});
}

void Exchange::take_head(std::string_view text) {
  HttpHead head = HttpHead::parse_answer(text);
  if (head.status == 101) throw Error(Category::network, "the server went over to another protocol than HTTP/1.1");
  if (head.status < 200) {
    to_client_ += head.text();
    return;
  }
  const BodyLength length = BodyLength::of_answer(head, method);
  keeps_ = !asked_to_close && head.keeps_connection() && length.kind != BodyLength::Kind::until_close;
  for (const char* name : kAnswerHopFields) head.remove(name);
  head.fields.emplace_back("Connection", keeps_ ? "keep-alive" : "close");
  answer_status = head.status;
  to_client_ += head.text();
  answer_body_.emplace(length, [this](std::string_view piece) {
    sum_.update(piece);
    bytes_ += piece.size();
  });
  if (answer_body_->is_done()) end_answer(true);
}

// All that can be made of the bytes that have come.
void Exchange::take_answer() {
  while (!is_over_ && !from_server_.empty()) {
    if (!answer_body_) {
      const auto end = end_of_head(from_server_);
      if (!end) return;
      const std::string text = from_server_.substr(0, *end);
      from_server_.erase(0, *end);
      take_head(text);
      continue;
    }
    const std::size_t taken = answer_body_->take(from_server_);
    to_client_.append(from_server_, 0, taken);
    from_server_.erase(0, taken);
    if (answer_body_->is_done()) end_answer(true);
  }
}

bool Exchange::move_request(const ExchangeEnds& ends, BodyReader& body) {
  bool moved = false;
  if (!body.is_done() && to_server.size() < kMostWaitingBytes) {
    if (ends.received.empty()) {
      if (auto bytes = ends.client.read()) {
        if (bytes->empty()) throw Error(Category::network, "the program hung up within a request");
        ends.received = std::move(*bytes);
      }
    }
    const std::size_t taken = body.take(ends.received);
    to_server.append(ends.received, 0, taken);
    ends.received.erase(0, taken);
    moved = taken > 0;
  }
  const std::size_t put = ends.server.write(to_server);
  to_server.erase(0, put);
  return moved || put > 0;
}

bool Exchange::move_answer(const ExchangeEnds& ends) {
  bool moved = false;
  if (!is_over_ && to_client_.size() < kMostWaitingBytes) {
    if (const auto bytes = ends.server.read()) {
      moved = true;
      has_heard_ = has_heard_ || !bytes->empty();
      from_server_ += *bytes;
      take_answer();
      if (bytes->empty() && !is_over_) {
        if (!answer_body_) throw Error(Category::network, "the server hung up before its answer was whole");
        const bool is_whole = answer_body_->ends_with_connection();
        end_answer(is_whole);
        keeps_ = false;
        if (!is_whole) problem = "the server hung up before its answer was whole";
      }
    }
  }
  return moved;
}

ExchangeEnd Exchange::carry(const ExchangeEnds& ends) {
  try {
    return carry_all(ends);
  } catch (...) {
    end_answer(false);
    throw;
  }
}

ExchangeEnd Exchange::carry_all(const ExchangeEnds& ends) {
  problem.clear();
  BodyReader request_body(request_length);
  for (;;) {
    bool moved = false;
    try {
      if (!is_over_) moved = move_request(ends, request_body);
      if (move_answer(ends)) moved = true;
    } catch (const Error& error) {
      if (error.category() != Category::network) throw;
      problem = error.message();
      if (!has_heard_) return ExchangeEnd::unanswered;
      end_answer(false);
      keeps_ = false;
      if (answer_status == 0) return ExchangeEnd::closed;
    }
    const std::size_t put = ends.client.write(to_client_);
    to_client_.erase(0, put);
    has_answered = has_answered || put > 0;
    if (put > 0) moved = true;
    const bool is_flushed = ends.client.flush();
    if (is_over_ && to_client_.empty() && is_flushed) break;
    if (moved) continue;
    const bool wants_request = !is_over_ && !request_body.is_done() && to_server.size() < kMostWaitingBytes;
    const bool wants_answer = !is_over_ && to_client_.size() < kMostWaitingBytes;
    const bool is_sent = is_over_ || (to_server.empty() && ends.server.flush());
    const int client_events = (wants_request ? POLLIN : 0) | (to_client_.empty() && is_flushed ? 0 : POLLOUT);
    const int server_events = (wants_answer ? POLLIN : 0) | (is_sent ? 0 : POLLOUT);
    ends.wait(static_cast<short>(client_events), static_cast<short>(server_events));
  }
  const bool may_follow = keeps_ && request_body.is_done() && problem.empty() && from_server_.empty();
  return may_follow ? ExchangeEnd::kept : ExchangeEnd::closed;
}

}  // namespace kiln

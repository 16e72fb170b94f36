#pragma once

#include <functional>
#include <optional>
#include <string>

#include "builder/netlog/byte_stream.hpp"
#include "builder/netlog/http_message.hpp"
#include "builder/netlog/network_record.hpp"
#include "registry/remote/raw_connection.hpp"

namespace kiln {

// Both sides of an exchange, borrowed.
struct ExchangeEnds {
  ByteStream& client;
  RawConnection& server;
  std::string& received;  // from the client and not used: the request's body, and what follows it
  // Waits until one of these poll events is there; throws where the exchange is to end.
  std::function<void(short client_events, short server_events)> wait;
};

enum class ExchangeEnd {
  kept,        // both connections may be used for another request
  closed,      // neither
  unanswered,  // the server's connection broke before a byte of an answer came
};

// One request and its answer on their way through the proxy. The answer's body is digested as it passes.
class Exchange {
 public:
  std::string method;
  std::string url;        // for the record
  std::string to_server;  // the request's head
  BodyLength request_length;
  bool asked_to_close = false;
  // Told once what came of an answer, before the client has its last byte.
  std::function<void(Download)> note;

  int answer_status = 0;      // of an answer whose head has come
  bool has_answered = false;  // the client has got some of it
  std::string problem;        // with the answer; empty: none

  // Throws what `wait` throws, and Error{network} where the client's connection broke.
  ExchangeEnd carry(const ExchangeEnds& ends);
  bool is_without_body() const { return request_length.kind == BodyLength::Kind::none; }

 private:
  ExchangeEnd carry_all(const ExchangeEnds& ends);
  bool move_request(const ExchangeEnds& ends, BodyReader& body);
  bool move_answer(const ExchangeEnds& ends);
  void take_answer();
  void take_head(std::string_view text);
  void end_answer(bool is_whole);

  std::string from_server_;  // not looked at yet
  std::string to_client_;
  std::optional<BodyReader> answer_body_;  // once the head has come
  oci::Sha256 sum_;
  std::uint64_t bytes_ = 0;
  bool is_over_ = false;
  bool keeps_ = false;
  bool has_heard_ = false;  // a byte came
};

}  // namespace kiln

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kiln {

// Messages of HTTP/1.1 (RFC 9112) as the recording proxy reads them from programs and servers, both of which may be
// hostile. Where a message could be read in two ways it is refused: what is recorded must be what the other end reads.

// The first line and the fields of a message. What is refused is Error{network} that says why.
struct HttpHead {
  static constexpr std::size_t kMaxBytes = std::size_t{64} << 10;
  static constexpr std::size_t kMaxFields = 256;

  std::string method;  // of a request
  std::string target;
  int status = 0;  // of an answer
  std::string reason;
  int minor_version = 1;  // HTTP/1.0 or HTTP/1.1
  std::vector<std::pair<std::string, std::string>> fields;

  static HttpHead parse_request(std::string_view text);
  static HttpHead parse_answer(std::string_view text);

  const std::string* find(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  void remove(std::string_view name);
  // Whether a list such as Connection's has the word.
  bool lists(std::string_view name, std::string_view word) const;
  // Whether another message may follow on the connection, as far as this one says.
  bool keeps_connection() const;

  // With the empty line at its end. Of a request: METHOD TARGET.
  std::string text() const;
};

// Where a head ends: behind its empty line. nullopt: more bytes are needed. Error{network} where it is too long.
std::optional<std::size_t> end_of_head(std::string_view bytes);

// How a message's body ends.
struct BodyLength {
  enum class Kind { none, counted, chunked, until_close };
  Kind kind = Kind::none;
  std::uint64_t bytes = 0;  // counted

  static BodyLength of_request(const HttpHead& head);
  static BodyLength of_answer(const HttpHead& head, std::string_view method);
};

// Follows a body through pieces that are cut anywhere.
class BodyReader {
 public:
  // Takes a piece of the body, without the sizes of its chunks.
  using Sink = std::function<void(std::string_view)>;

  explicit BodyReader(const BodyLength& length, Sink sink = {});

  // How many of these bytes are the message's; fewer than all where it ends within them. Error{network} for chunks that
  // are none.
  std::size_t take(std::string_view bytes);
  bool is_done() const noexcept { return state_ == State::done; }
  // The connection is closed: whether the body is whole.
  bool ends_with_connection() const noexcept { return is_done() || kind_ == BodyLength::Kind::until_close; }

 private:
  enum class State { size, extension, size_end, data, data_end, data_line_feed, trailer, trailer_end, done };
  void take_size(char c);
  void take_trailer(char c);
  void hand_on(std::string_view piece);

  BodyLength::Kind kind_;
  Sink sink_;
  State state_ = State::size;
  std::uint64_t left_ = 0;
  std::size_t digits_ = 0;
  std::size_t other_bytes_ = 0;  // of an extension or the trailer
  std::size_t line_bytes_ = 0;   // of the trailer's line
};

// "host:port" of a CONNECT, or of a Host field (then the port may be missing: `default_port`). The host is in lower
// case, an IPv6 address without brackets. nullopt for what is none.
struct HttpAuthority {
  std::string host;
  std::uint16_t port = 0;

  static std::optional<HttpAuthority> parse(std::string_view text, std::uint16_t default_port = 0);
  // As a URL has it: with brackets, and the port where it is another one.
  std::string str(std::uint16_t default_port) const;
  bool operator==(const HttpAuthority&) const = default;
};

}  // namespace kiln

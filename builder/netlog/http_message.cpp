#include "builder/netlog/http_message.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::size_t kMaxChunkDigits = 15;
constexpr std::size_t kMaxChunkExtras = std::size_t{16} << 10;

[[noreturn]] void refuse_message(const std::string& problem) { throw Error(Category::network, problem); }

bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

bool is_visible(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

// A field's value or a reason: anything but control characters. Bytes beyond ASCII are let through, as servers send
// them.
bool is_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= ' ' && byte != 0x7f);
  });
}

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

int minor_version_of(std::string_view word) {
  if (word == "HTTP/1.1") return 1;
  if (word == "HTTP/1.0") return 0;
  refuse_message(fmt::format("expected HTTP/1.1, got '{}'", printable(word.substr(0, 32))));
}

// The lines of a head without their ends.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) refuse_message("a line of its head has no end");
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) break;
    lines.push_back(line);
  }
  if (lines.empty()) refuse_message("its head is empty");
  return lines;
}

void parse_fields(HttpHead& head, const std::vector<std::string_view>& lines) {
  if (lines.size() - 1 > HttpHead::kMaxFields) {
    refuse_message(fmt::format("its head has {} fields; at most {} are taken", lines.size() - 1, HttpHead::kMaxFields));
  }
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::size_t colon = lines[i].find(':');
    const std::string_view name = lines[i].substr(0, std::min(colon, lines[i].size()));
    const std::string_view value = colon == std::string_view::npos ? "" : trim_blanks(lines[i].substr(colon + 1));
    if (colon == std::string_view::npos || !is_token(name) || !is_value(value)) {
      refuse_message("a line of its head is no 'name: value'");
    }
    head.fields.emplace_back(name, value);
  }
}

// What of a field such as "gzip, chunked" are its words.
std::vector<std::string> words_of(const HttpHead& head, std::string_view name) {
  std::vector<std::string> words;
  for (const auto& [field, value] : head.fields) {
    if (!equals_ignoring_case(field, name)) continue;
    for (const std::string_view word : split(value, ',')) {
      if (!trim_blanks(word).empty()) words.push_back(to_lower(trim_blanks(word)));
    }
  }
  return words;
}

// "chunked" alone: other codings of a transfer would have to be undone before a digest means anything.
bool is_chunked(const HttpHead& head) {
  const std::vector<std::string> codings = words_of(head, "Transfer-Encoding");
  if (codings.empty()) return false;
  if (codings.size() != 1 || codings[0] != "chunked") {
    refuse_message(
        fmt::format("its Transfer-Encoding is '{}'; only 'chunked' is taken", printable(join(codings, ", "))));
  }
  if (head.count("Content-Length") != 0) refuse_message("it has both Content-Length and Transfer-Encoding");
  if (head.minor_version == 0) refuse_message("it is HTTP/1.0 with a Transfer-Encoding");
  return true;
}

// The same number may be there several times (RFC 9112, 6.3).
std::optional<std::uint64_t> content_length(const HttpHead& head) {
  std::optional<std::uint64_t> length;
  for (const auto& [name, value] : head.fields) {
    if (!equals_ignoring_case(name, "Content-Length")) continue;
    for (const std::string_view word : split(value, ',')) {
      const auto number = parse_unsigned(trim_blanks(word));
      if (!number || (length && *length != *number)) refuse_message("its Content-Length is no number");
      length = number;
    }
  }
  return length;
}

bool is_host_name(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_';
  });
}

}  // namespace

HttpHead HttpHead::parse_request(std::string_view text) {
  const std::vector<std::string_view> lines = lines_of(text);
  const std::vector<std::string_view> words = split(lines[0], ' ');
  HttpHead head;
  if (words.size() != 3 || !is_token(words[0]) || !is_visible(words[1])) {
    refuse_message("its first line is no 'METHOD TARGET HTTP/1.1'");
  }
  // A fragment is no part of a request: some servers would cut it off and others take it for a part of the path.
  if (words[1].find('#') != std::string_view::npos) refuse_message("its target has a '#'");
  head.method = words[0];
  head.target = words[1];
  head.minor_version = minor_version_of(words[2]);
  parse_fields(head, lines);
  if (head.count("Host") > 1) refuse_message("it has several Host fields");
  return head;
}

HttpHead HttpHead::parse_answer(std::string_view text) {
  const std::vector<std::string_view> lines = lines_of(text);
  const std::size_t space = lines[0].find(' ');
  HttpHead head;
  head.minor_version = minor_version_of(lines[0].substr(0, space));
  const std::string_view rest = space == std::string_view::npos ? "" : lines[0].substr(space + 1);
  const auto status = parse_unsigned(rest.substr(0, 3));
  const bool is_cut = rest.size() > 3 && rest[3] != ' ';
  if (!status || rest.size() < 3 || *status < 100 || *status > 999 || is_cut || !is_value(rest)) {
    refuse_message("its first line is no 'HTTP/1.1 STATUS REASON'");
  }
  head.status = static_cast<int>(*status);
  if (rest.size() > 4) head.reason = rest.substr(4);
  parse_fields(head, lines);
  return head;
}

const std::string* HttpHead::find(std::string_view name) const {
  for (const auto& [field, value] : fields) {
    if (equals_ignoring_case(field, name)) return &value;
  }
  return nullptr;
}

std::size_t HttpHead::count(std::string_view name) const {
  return static_cast<std::size_t>(std::count_if(
      fields.begin(), fields.end(), [&](const auto& field) { return equals_ignoring_case(field.first, name); }));
}

void HttpHead::remove(std::string_view name) {
  std::erase_if(fields, [&](const auto& field) { return equals_ignoring_case(field.first, name); });
}

bool HttpHead::lists(std::string_view name, std::string_view word) const {
  const std::vector<std::string> words = words_of(*this, name);
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool HttpHead::keeps_connection() const {
  if (lists("Connection", "close")) return false;
  return minor_version == 1 || lists("Connection", "keep-alive");
}

std::string HttpHead::text() const {
  std::string result = status != 0 ? fmt::format("HTTP/1.{} {:03} {}\r\n", minor_version, status, reason)
                                   : fmt::format("{} {} HTTP/1.{}\r\n", method, target, minor_version);
  for (const auto& [name, value] : fields) result += name + ": " + value + "\r\n";
  return result + "\r\n";
}

std::optional<std::size_t> end_of_head(std::string_view bytes) {
  const std::string_view looked_at = bytes.substr(0, HttpHead::kMaxBytes);
  for (std::size_t at = looked_at.find('\n'); at != std::string_view::npos; at = looked_at.find('\n', at + 1)) {
    const std::string_view next = looked_at.substr(at + 1);
    if (next.starts_with('\n')) return at + 2;
    if (next.starts_with("\r\n")) return at + 3;
  }
  if (bytes.size() >= HttpHead::kMaxBytes) {
    refuse_message(fmt::format("its head is longer than {}", human_bytes(HttpHead::kMaxBytes)));
  }
  return std::nullopt;
}

BodyLength BodyLength::of_request(const HttpHead& head) {
  if (is_chunked(head)) return {Kind::chunked, 0};
  const std::uint64_t bytes = content_length(head).value_or(0);
  return {bytes == 0 ? Kind::none : Kind::counted, bytes};
}

BodyLength BodyLength::of_answer(const HttpHead& head, std::string_view method) {
  const bool chunked = is_chunked(head);
  const auto length = content_length(head);
  if (method == "HEAD" || head.status < 200 || head.status == 204 || head.status == 304) return {};
  if (chunked) return {Kind::chunked, 0};
  if (!length) return {Kind::until_close, 0};
  return {*length == 0 ? Kind::none : Kind::counted, *length};
}

BodyReader::BodyReader(const BodyLength& length, Sink sink)
    : kind_(length.kind), sink_(std::move(sink)), left_(length.bytes) {
  if (kind_ == BodyLength::Kind::none) state_ = State::done;
  if (kind_ == BodyLength::Kind::counted) state_ = State::data;
}

void BodyReader::hand_on(std::string_view piece) {
  if (sink_ && !piece.empty()) sink_(piece);
}

std::size_t BodyReader::take(std::string_view bytes) {
  if (is_done()) return 0;
  if (kind_ == BodyLength::Kind::until_close) {
    hand_on(bytes);
    return bytes.size();
  }
  std::size_t at = 0;
  while (at < bytes.size() && !is_done()) {
    if (state_ == State::data) {
      const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - at));
      hand_on(bytes.substr(at, piece));
      at += piece;
      left_ -= piece;
      if (left_ == 0) state_ = kind_ == BodyLength::Kind::chunked ? State::data_end : State::done;
      continue;
    }
    const char c = bytes[at++];
    if (state_ == State::trailer || state_ == State::trailer_end) {
      take_trailer(c);
    } else if (state_ == State::data_end) {
      if (c != '\r') refuse_message("a chunk of its body is longer than its size");
      state_ = State::data_line_feed;
    } else if (state_ == State::data_line_feed) {
      if (c != '\n') refuse_message("a chunk of its body is longer than its size");
      state_ = State::size;
    } else {
      take_size(c);
    }
  }
  return at;
}

// A line such as "1a2f; name=value".
void BodyReader::take_size(char c) {
  const auto digit = parse_unsigned(std::string_view(&c, 1), 16);
  if (state_ == State::size && digit) {
    if (++digits_ > kMaxChunkDigits) refuse_message("the size of a chunk has too many digits");
    left_ = left_ * 16 + *digit;
    return;
  }
  if (digits_ == 0) refuse_message("a chunk of its body has no size");
  if (c == '\n') {
    // Alone it ends a line for some readers and not for others.
    if (state_ != State::size_end) refuse_message("a line of a chunk's size ends without a carriage return");
    digits_ = 0;
    line_bytes_ = 0;
    state_ = left_ == 0 ? State::trailer : State::data;
    return;
  }
  if (state_ == State::size_end) refuse_message("a line of a chunk's size has no end");
  if (c == '\r') {
    state_ = State::size_end;
    return;
  }
  if (state_ == State::size && c != ';' && c != ' ' && c != '\t') refuse_message("the size of a chunk is no number");
  state_ = State::extension;
  if (++other_bytes_ > kMaxChunkExtras) refuse_message("the extensions of its chunks are too long");
}

// Fields behind the last chunk, until an empty line.
void BodyReader::take_trailer(char c) {
  if (++other_bytes_ > kMaxChunkExtras) refuse_message("what follows its last chunk is too long");
  if ((c == '\n') != (state_ == State::trailer_end)) refuse_message("a line behind its last chunk has no proper end");
  if (c == '\n') {
    state_ = line_bytes_ == 0 ? State::done : State::trailer;
    line_bytes_ = 0;
  } else if (c == '\r') {
    state_ = State::trailer_end;
  } else {
    ++line_bytes_;
  }
}

std::optional<HttpAuthority> HttpAuthority::parse(std::string_view text, std::uint16_t default_port) {
  HttpAuthority authority;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    authority.host = to_lower(text.substr(1, end - 1));
    in6_addr address{};
    if (::inet_pton(AF_INET6, authority.host.c_str(), &address) != 1) return std::nullopt;
    port = text.substr(end + 1);
  } else {
    const std::size_t colon = text.find(':');
    authority.host = to_lower(text.substr(0, colon));
    if (!is_host_name(authority.host)) return std::nullopt;
    port = colon == std::string_view::npos ? "" : text.substr(colon);
  }
  if (port.empty()) {
    if (default_port == 0) return std::nullopt;
    authority.port = default_port;
    return authority;
  }
  const auto number = port.starts_with(':') ? parse_unsigned(port.substr(1)) : std::nullopt;
  if (!number || *number == 0 || *number > 65535) return std::nullopt;
  authority.port = static_cast<std::uint16_t>(*number);
  return authority;
}

std::string HttpAuthority::str(std::uint16_t default_port) const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == default_port ? name : fmt::format("{}:{}", name, port);
}

}  // namespace kiln

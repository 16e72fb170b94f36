#include <algorithm>

#include "base/error.hpp"
#include "builder/netlog/http_message.hpp"
#include "builder/netlog/namespace_watch.hpp"
#include "tests/fuzz/fuzz.hpp"

// Any bytes as what programs and servers send to the recording proxy, and as packets and queries of a recorded network.
namespace kiln::fuzz {

namespace {

std::string read_in_pieces(const BodyLength& length, std::string_view bytes, std::size_t piece, std::size_t& taken) {
  std::string body;
  BodyReader reader(length, [&](std::string_view part) { body += part; });
  for (taken = 0; taken < bytes.size() && !reader.is_done();) taken += reader.take(bytes.substr(taken, piece));
  return body;
}

void read_message(std::string_view input, bool is_request) {
  const auto end = end_of_head(input);
  if (!end) return;
  const std::string_view text = input.substr(0, *end);
  const HttpHead head = is_request ? HttpHead::parse_request(text) : HttpHead::parse_answer(text);
  const HttpHead again = is_request ? HttpHead::parse_request(head.text()) : HttpHead::parse_answer(head.text());
  require(head.text() == again.text(), "what is handed on is read in another way");
  const BodyLength length = is_request ? BodyLength::of_request(head) : BodyLength::of_answer(head, "GET");
  std::size_t taken = 0, taken_at_once = 0;
  const std::string body = read_in_pieces(length, input.substr(*end), 1, taken);
  require(body == read_in_pieces(length, input.substr(*end), input.size(), taken_at_once), "pieces make another body");
  require(taken == taken_at_once, "pieces make another end");
}

}  // namespace

void fuzz_one(std::string_view input) {
  for (const bool is_request : {true, false}) {
    try {
      read_message(input, is_request);
    } catch (const Error& error) {
      require(error.category() == Category::network, "another category");
    }
  }
  if (const auto authority = HttpAuthority::parse(input, 80))
    require(HttpAuthority::parse(authority->str(80), 80) == authority, "an authority is read in another way");
  attempt_of_packet(input);
  const NameQuery query = refuse_query(input);
  require(query.answer.size() <= input.size(), "an answer is longer than its query");
}

std::vector<std::string> seeds() {
  return {"GET http://h/p HTTP/1.1\r\nHost: h\r\n\r\n",
          "POST /git-upload-pack HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\nwiki\r\n0\r\nX: "
          "y\r\n\r\nGET",
          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
          "HTTP/1.1 206 Partial Content\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
          "HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\n\r\nno",
          "[2001:db8::1]:443",
          "example.org:443",
          std::string("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07"
                      "example\x03"
                      "org\x00\x00\x01\x00\x01",
                      29),
          std::string("\x45\x00\x00\x28\x00\x00\x00\x00\x40\x06\x00\x00\x0a\x00\x00\x01\x5d\xb8\xd8\x22\x30\x39\x01\xbb"
                      "\x00\x00\x00\x00\x00\x00\x00\x00\x50\x02\x00\x00",
                      36)};
}

std::vector<std::string> words() {
  return {"\r\n",      "\n", "\r", ": ",      "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "HTTP/1.1",
          "0\r\n\r\n", ";",  ",",  "ffffffff"};
}

}  // namespace kiln::fuzz

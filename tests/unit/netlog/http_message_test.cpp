#include "builder/netlog/http_message.hpp"

#include "base/error.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

using Kind = BodyLength::Kind;

HttpHead answer(const std::string& fields, const std::string& status = "200 OK", const std::string& version = "1.1") {
  return HttpHead::parse_answer("HTTP/" + version + " " + status + "\r\n" + fields + "\r\n");
}

HttpHead request(const std::string& fields) {
  return HttpHead::parse_request("POST /x HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n");
}

// What a reader hands on of a body that comes in pieces of this size, and how much of the bytes it took.
struct Read {
  std::string body;
  std::size_t taken = 0;
  bool is_done = false;
};
Read read_body(const BodyLength& length, const std::string& bytes, std::size_t piece) {
  Read read;
  BodyReader reader(length, [&](std::string_view part) { read.body += part; });
  while (read.taken < bytes.size() && !reader.is_done())
    read.taken += reader.take(std::string_view(bytes).substr(read.taken, piece));
  read.is_done = reader.is_done();
  return read;
}

}  // namespace

TEST_CASE("a request is its method, target and fields, and the text of a head is read back") {
  const HttpHead head =
      HttpHead::parse_request("GET http://h/p?q HTTP/1.1\r\nHost: h\r\nAccept:  a, b \t\r\nX-Empty:\r\n\r\n");
  CHECK(head.method == "GET");
  CHECK(head.target == "http://h/p?q");
  REQUIRE(head.find("accept") != nullptr);
  CHECK(*head.find("accept") == "a, b");
  CHECK(*head.find("x-empty") == "");
  CHECK(head.find("absent") == nullptr);
  CHECK(head.text() == "GET http://h/p?q HTTP/1.1\r\nHost: h\r\nAccept: a, b\r\nX-Empty: \r\n\r\n");
  CHECK(HttpHead::parse_request(head.text()).text() == head.text());
}

TEST_CASE("an answer has a status, and a reason or none") {
  CHECK(answer("").status == 200);
  CHECK(answer("", "404").reason.empty());
  CHECK(answer("", "404 ").reason.empty());
  CHECK(answer("", "404 Not Found").text() == "HTTP/1.1 404 Not Found\r\n\r\n");
}

TEST_CASE("what is no message of HTTP/1.1 is refused with the reason") {
  const auto parse = [](const std::string& text) { return [text] { HttpHead::parse_request(text); }; };
  const std::pair<const char*, const char*> cases[] = {
      {"GET / HTTP/2.0\r\n\r\n", "expected HTTP/1.1, got 'HTTP/2.0'"},
      {"GET  / HTTP/1.1\r\n\r\n", "its first line is no 'METHOD TARGET HTTP/1.1'"},
      {"GET /\r\n\r\n", "its first line is no 'METHOD TARGET HTTP/1.1'"},
      {"G\x01T / HTTP/1.1\r\n\r\n", "its first line is no 'METHOD TARGET HTTP/1.1'"},
      {"GET / HTTP/1.1\r\nA : b\r\n\r\n", "a line of its head is no 'name: value'"},
      {"GET / HTTP/1.1\r\n folded: b\r\n\r\n", "a line of its head is no 'name: value'"},
      {"GET / HTTP/1.1\r\nA\r\n\r\n", "a line of its head is no 'name: value'"},
      {"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", "a line of its head is no 'name: value'"},
      {"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", "it has several Host fields"},
      {"GET /a#b HTTP/1.1\r\n\r\n", "its target has a '#'"},
      {"GET http://h/#b HTTP/1.1\r\n\r\n", "its target has a '#'"},
      {"GET /a\x01 HTTP/1.1\r\n\r\n", "its first line is no 'METHOD TARGET HTTP/1.1'"},
      {"GET /\x7f HTTP/1.1\r\n\r\n", "its first line is no 'METHOD TARGET HTTP/1.1'"},
      {"\r\n\r\n", "its head is empty"},
      {"GET / HTTP/1.1", "a line of its head has no end"},
  };
  for (const auto& [text, problem] : cases) CHECK_ERROR(parse(text)(), Category::network, problem);
  for (const char* status : {"20 OK", "2000 OK", "abc", "099 x", ""})
    CHECK_ERROR(answer("", status), Category::network, "its first line is no 'HTTP/1.1 STATUS REASON'");
}

TEST_CASE("a head has at most 64 KiB and 256 fields") {
  std::string fields;
  for (std::size_t i = 0; i < 256; ++i) fields += "A: b\r\n";
  CHECK(answer(fields).fields.size() == 256);
  CHECK_ERROR(answer(fields + "A: b\r\n"), Category::network, "its head has 257 fields; at most 256 are taken");
  const std::string line = "GET / HTTP/1.1\r\nA: ";
  const std::string longest = line + std::string((64 << 10) - line.size() - 4, 'x') + "\r\n\r\n";
  CHECK(end_of_head(longest) == longest.size());
  CHECK_FALSE(end_of_head(longest.substr(0, longest.size() - 1)));
  CHECK_ERROR(end_of_head(line + std::string(64 << 10, 'x')), Category::network,
              doctest::Contains("its head is longer than"));
}

TEST_CASE("a head ends behind an empty line, whatever its lines end by") {
  CHECK(end_of_head("A\r\n\r\nB") == 5);
  CHECK(end_of_head("A\n\nB") == 3);
  CHECK(end_of_head("A\n\r\nB") == 4);
  CHECK_FALSE(end_of_head("A\r\nB\r\n"));
}

TEST_CASE("a body that could end at two places is refused") {
  const auto length = [](const std::string& fields) { return BodyLength::of_request(request(fields)); };
  CHECK_ERROR(length("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), Category::network,
              "it has both Content-Length and Transfer-Encoding");
  CHECK_ERROR(length("Transfer-Encoding: gzip, chunked\r\n"), Category::network,
              "its Transfer-Encoding is 'gzip, chunked'; only 'chunked' is taken");
  CHECK_ERROR(length("Transfer-Encoding: xchunked\r\n"), Category::network,
              "its Transfer-Encoding is 'xchunked'; only 'chunked' is taken");
  for (const char* number : {"3\r\nContent-Length: 4", "3, 4", "+3", "-1", "0x3", "", "99999999999999999999"})
    CHECK_ERROR(length("Content-Length: " + std::string(number) + "\r\n"), Category::network,
                "its Content-Length is no number");
  CHECK(length("Content-Length: 3\r\nContent-Length: 3\r\n").bytes == 3);
  CHECK_ERROR(BodyLength::of_answer(answer("Transfer-Encoding: chunked\r\n", "200 OK", "1.0"), "GET"),
              Category::network, "it is HTTP/1.0 with a Transfer-Encoding");
}

TEST_CASE("the length of an answer depends on the request and the status") {
  const HttpHead with_length = answer("Content-Length: 5\r\n");
  CHECK(BodyLength::of_answer(with_length, "GET").kind == Kind::counted);
  CHECK(BodyLength::of_answer(with_length, "HEAD").kind == Kind::none);
  CHECK(BodyLength::of_answer(answer("Content-Length: 5\r\n", "304 Not Modified"), "GET").kind == Kind::none);
  CHECK(BodyLength::of_answer(answer("", "204 No Content"), "GET").kind == Kind::none);
  CHECK(BodyLength::of_answer(answer(""), "GET").kind == Kind::until_close);
  CHECK(BodyLength::of_answer(answer("Transfer-Encoding: Chunked\r\n"), "GET").kind == Kind::chunked);
  CHECK(BodyLength::of_request(request("")).kind == Kind::none);
}

TEST_CASE("a body is the same however its bytes are cut") {
  const std::string chunked = "4;a=b\r\nwiki\r\n5\r\npedia\r\n0\r\nX: y\r\n\r\nNEXT";
  for (std::size_t piece = 1; piece <= chunked.size(); ++piece) {
    const Read read = read_body({Kind::chunked, 0}, chunked, piece);
    CHECK(read.body == "wikipedia");
    CHECK(read.is_done);
    CHECK(chunked.substr(read.taken) == "NEXT");
  }
  const Read counted = read_body({Kind::counted, 3}, "abcdef", 2);
  CHECK(counted.body == "abc");
  CHECK(counted.taken == 3);
  const Read until_close = read_body({Kind::until_close, 0}, "abcdef", 4);
  CHECK(until_close.body == "abcdef");
  CHECK_FALSE(until_close.is_done);
}

TEST_CASE("chunks that are none are refused") {
  const auto read = [](const std::string& bytes) { return [bytes] { read_body({Kind::chunked, 0}, bytes, 7); }; };
  CHECK_ERROR(read("\r\n")(), Category::network, "a chunk of its body has no size");
  CHECK_ERROR(read("zz\r\n")(), Category::network, "a chunk of its body has no size");
  CHECK_ERROR(read("1x\r\n")(), Category::network, "the size of a chunk is no number");
  CHECK_ERROR(read("1\rx")(), Category::network, "a line of a chunk's size has no end");
  CHECK_ERROR(read("1\r\nab\r\n")(), Category::network, "a chunk of its body is longer than its size");
  for (const char* size : {"1\nab", "1;x\nab", "0\n\n"})
    CHECK_ERROR(read(size)(), Category::network, "a line of a chunk's size ends without a carriage return");
  for (const char* chunk : {"1\r\na\n0\r\n\r\n", "1\r\na\rb"})
    CHECK_ERROR(read(chunk)(), Category::network, "a chunk of its body is longer than its size");
  for (const char* trailer : {"0\r\n\n", "0\r\nA: b\n\r\n", "0\r\nA: b\rc"})
    CHECK_ERROR(read(trailer)(), Category::network, "a line behind its last chunk has no proper end");
  CHECK_ERROR(read("1000000000000000\r\n")(), Category::network, "the size of a chunk has too many digits");
  CHECK_ERROR(read("1;" + std::string(20'000, 'x'))(), Category::network, "the extensions of its chunks are too long");
  CHECK_ERROR(read("0\r\n" + std::string(20'000, 'x'))(), Category::network, "what follows its last chunk is too long");
}

TEST_CASE("an authority is a host and a port") {
  CHECK(HttpAuthority::parse("Example.ORG:443") == HttpAuthority{"example.org", 443});
  CHECK(HttpAuthority::parse("[2001:DB8::1]:8443") == HttpAuthority{"2001:db8::1", 8443});
  CHECK(HttpAuthority::parse("host", 80) == HttpAuthority{"host", 80});
  CHECK(HttpAuthority{"2001:db8::1", 443}.str(443) == "[2001:db8::1]");
  CHECK(HttpAuthority{"h", 8080}.str(80) == "h:8080");
  for (const char* text : {"host", "host:", "host:0", "host:65536", "host:x", ":1", "a b:1", "user@host:1", "[::1:1",
                           "[x]:1", "::1", "h/p:1", "h:1:2"})
    CHECK_FALSE(HttpAuthority::parse(text));
  CHECK_FALSE(HttpAuthority::parse(std::string(254, 'a') + ":1"));
}

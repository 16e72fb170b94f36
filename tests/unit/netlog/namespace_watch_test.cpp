#include "builder/netlog/namespace_watch.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

// An IPv4 packet to 93.184.216.34, with what follows its header.
std::string packet(int protocol, const std::string& payload) {
  return bytes({0x45, 0, 0, 40, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 93, 184, 216, 34}) + payload;
}

std::string tcp(int flags) { return bytes({0x30, 0x39, 0x01, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags, 0, 0}); }

std::string query(const std::string& labels, int type) {
  return bytes({0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1}) + labels + bytes({0, 0, type, 0, 1}) + "additional";
}

}  // namespace

TEST_CASE("the first packet of a connection names where it goes, and no other does") {
  CHECK(attempt_of_packet(packet(6, tcp(0x02))) == "93.184.216.34:443");
  CHECK(attempt_of_packet(packet(6, tcp(0x12))) == "");
  CHECK(attempt_of_packet(packet(6, tcp(0x14))) == "");
  CHECK(attempt_of_packet(packet(17, bytes({0x30, 0x39, 0, 123, 0, 8, 0, 0}))) == "93.184.216.34:123 by UDP");
  CHECK(attempt_of_packet(packet(1, bytes({8, 0, 0, 0}))) == "");
  std::string v6 = bytes({0x60, 0, 0, 0, 0, 20, 6, 64}) + std::string(16, '\0') + bytes({0x20, 0x01, 0x0d, 0xb8}) +
                   std::string(11, '\0') + bytes({1}) + tcp(0x02);
  CHECK(attempt_of_packet(v6) == "[2001:db8::1]:443");
}

TEST_CASE("packets that are cut or lie about their header name nothing") {
  const std::string whole = packet(6, tcp(0x02));
  for (std::size_t size = 0; size < 20 + 14; ++size) CHECK(attempt_of_packet(whole.substr(0, size)) == "");
  std::string long_header = whole;
  long_header[0] = 0x4f;
  CHECK(attempt_of_packet(long_header) == "");
  std::string fragment = whole;
  fragment[7] = 8;
  CHECK(attempt_of_packet(fragment) == "");
}

TEST_CASE("a query is answered with 'no such name' and its question") {
  const NameQuery asked =
      refuse_query(query("\x07"
                         "example\x03"
                         "org",
                         28));
  CHECK(asked.name == "example.org");
  CHECK(asked.is_for_address);
  REQUIRE(asked.answer.size() == 12 + 13 + 4);
  CHECK(asked.answer.substr(0, 12) == bytes({0x12, 0x34, 0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0}));
  CHECK_FALSE(refuse_query(query("\x04"
                                 "_srv\x03"
                                 "org",
                                 33))
                  .is_for_address);
}

TEST_CASE("what is no query gets no answer") {
  const std::string whole = query(
      "\x07"
      "example\x03"
      "org",
      1);
  for (std::size_t size = 0; size < 12 + 13 + 4; ++size) CHECK(refuse_query(whole.substr(0, size)).answer.empty());
  std::string answer = whole;
  answer[2] = static_cast<char>(0x81);
  CHECK(refuse_query(answer).answer.empty());
  CHECK(refuse_query(query(bytes({0xc0, 0x0c}), 1)).answer.empty());
  std::string endless;
  for (int i = 0; i < 10; ++i) endless += bytes({63}) + std::string(63, 'a');
  CHECK(refuse_query(query(endless, 1)).answer.empty());
}

TEST_CASE("a watch names each attempt once, and at most 100") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) == 0);
  const Fd ours(ends[0]);
  Fd names(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  NamespaceWatch watch(Fd(ends[1]), std::move(names));
  for (int port = 1; port <= 150; ++port) {
    for (int repeat = 0; repeat < 2; ++repeat) {
      const std::string sent = packet(17, bytes({0, 1, 0, port, 0, 8, 0, 0}));
      REQUIRE(::send(ours.get(), sent.data(), sent.size(), 0) > 0);
    }
  }
  const std::vector<std::string> attempts = watch.finish();
  REQUIRE(attempts.size() == 100);
  CHECK(attempts[0] == "93.184.216.34:1 by UDP");
  CHECK(attempts[99] == "93.184.216.34:100 by UDP");
}

#include "builder/netlog/recording_proxy.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "base/base64.hpp"
#include "builder/netlog/certificate_authority.hpp"
#include "builder/netlog/proxied_connection.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

Fd connect_to(std::uint16_t port) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return socket;
}

void put(const Fd& socket, const std::string& text) {
  REQUIRE(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
}

// Until the text ends as given, or the connection does.
std::string get(const Fd& socket, std::string_view end) {
  std::string text;
  char buffer[4096];
  while (end.empty() || !text.ends_with(end)) {
    const ssize_t got = ::recv(socket.get(), buffer, sizeof buffer, 0);
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

// A server that answers each of its connections, one after another, with these bytes, whatever is asked.
class OneAnswerServer {
 public:
  explicit OneAnswerServer(std::string answer, int connections = 1) : listener_(listen_on_loopback()) {
    thread_ = std::thread([this, answer = std::move(answer), connections] {
      for (int i = 0; i < connections; ++i) {
        Fd client;
        while (!client) client = Fd(::accept4(listener_.socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
        request_ = get(client, "\r\n\r\n");
        ::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      }
    });
  }
  ~OneAnswerServer() { wait(); }
  void wait() {
    if (thread_.joinable()) thread_.join();
  }
  std::uint16_t port() const { return listener_.port; }
  const std::string& request() {
    wait();
    return request_;
  }

 private:
  LoopbackListener listener_;
  std::string request_;
  std::thread thread_;
};

struct Proxy {
  explicit Proxy(RecordingOptions options = {}) : Proxy(listen_on_loopback(), std::move(options)) {}
  Proxy(LoopbackListener listener, RecordingOptions options)
      : port(listener.port), proxy(std::move(listener.socket), authority, std::move(options)) {}
  CertificateAuthority authority;
  std::uint16_t port;
  RecordingProxy proxy;
};

std::string request_for(const OneAnswerServer& server, const std::string& more = "") {
  return fmt::format("GET http://127.0.0.1:{}/file?token=x HTTP/1.1\r\nHost: other\r\n{}\r\n", server.port(), more);
}

}  // namespace

TEST_CASE("an answer is handed on and recorded, without its query") {
  OneAnswerServer server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nAlt-Svc: h3\r\n\r\nhello");
  Proxy proxy;
  const Fd client = connect_to(proxy.port);
  put(client, request_for(server, "Proxy-Connection: keep-alive\r\nAccept: a\r\n"));
  const std::string got = get(client, "hello");
  CHECK(got == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello");
  CHECK(server.request() == fmt::format("GET /file?token=x HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAccept: a\r\nConnection: "
                                        "keep-alive\r\n\r\n",
                                        server.port()));
  const ProxyFindings seen = proxy.proxy.finish();
  REQUIRE(seen.record.downloads.size() == 1);
  CHECK(*seen.record.downloads.begin() ==
        Download{fmt::format("http://127.0.0.1:{}/file", server.port()), "GET", 200, 5, oci::sha256_of("hello")});
  CHECK(seen.failures.empty());
}

TEST_CASE("what is recorded of a URL is what was sent, dots and encoded letters too") {
  OneAnswerServer server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  Proxy proxy;
  const Fd client = connect_to(proxy.port);
  put(client, fmt::format("GET http://127.0.0.1:{}/a/../b/./%2e%2E/c%7e?d HTTP/1.1\r\n\r\n", server.port()));
  get(client, "hello");
  CHECK(server.request().starts_with("GET /a/../b/./%2e%2E/c%7e?d HTTP/1.1\r\n"));
  const ProxyFindings seen = proxy.proxy.finish();
  REQUIRE(seen.record.downloads.size() == 1);
  CHECK(seen.record.downloads.begin()->url == fmt::format("http://127.0.0.1:{}/a/../b/./%2e%2E/c%7e", server.port()));
}

TEST_CASE("loopback and link-local addresses are not reached where they are not given a name") {
  RecordingOptions options;
  options.upstream.most_private = AddressClass::private_network;
  options.upstream.hosts = {{"named.test", "127.0.0.1"}};
  options.unrecorded_hosts = {"127.0.0.2", "*.localhost", "169.254.169.254"};
  options.upstream.proxies = ProxySettings("", "http://127.0.0.1:1", "");
  OneAnswerServer server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  Proxy proxy(std::move(options));
  const auto says = [&](const std::string& request) {
    const Fd client = connect_to(proxy.port);
    put(client, request);
    return get(client, "");
  };
  for (const char* host : {"127.0.0.1", "localhost", "0.0.0.0", "2130706433", "0x7f.1", "[::1]", "[::]",
                           "[::ffff:127.0.0.1]", "169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]"}) {
    CAPTURE(host);
    const std::string got = says(fmt::format("GET http://{}:{}/ HTTP/1.1\r\n\r\n", host, server.port()));
    CHECK(got.starts_with("HTTP/1.1 502 kiln cannot reach 'http://"));
    CHECK(got.find("which is not reached; where it is meant give it a name: --add-host NAME:") != std::string::npos);
    CHECK(says(fmt::format("CONNECT {}:{} HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", host, server.port()))
              .find("which is not reached") != std::string::npos);
  }
  for (const char* host : {"127.0.0.2", "a.localhost", "169.254.169.254"}) {
    CAPTURE(host);
    CHECK(says(fmt::format("CONNECT {}:{} HTTP/1.1\r\n\r\n", host, server.port())).find("which is not reached") !=
          std::string::npos);
  }
  const Fd client = connect_to(proxy.port);
  put(client, fmt::format("GET http://named.test:{}/ HTTP/1.1\r\n\r\n", server.port()));
  CHECK(get(client, "hello").starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_CASE("chunks are counted by what they hold, and an answer until the end by what came") {
  for (const char* answer :
       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nhello", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\nhello"}) {
    OneAnswerServer server(answer);
    Proxy proxy;
    const Fd client = connect_to(proxy.port);
    put(client, request_for(server, "Connection: close\r\n"));
    get(client, "");
    const ProxyFindings seen = proxy.proxy.finish();
    REQUIRE(seen.record.downloads.size() == 1);
    CHECK(seen.record.downloads.begin()->digest == oci::sha256_of("hello"));
    CHECK(seen.record.downloads.begin()->bytes == 5);
  }
}

TEST_CASE("an answer that is cut has no digest") {
  OneAnswerServer server("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello");
  Proxy proxy;
  const Fd client = connect_to(proxy.port);
  put(client, request_for(server));
  CHECK(get(client, "").ends_with("hello"));
  const ProxyFindings seen = proxy.proxy.finish();
  REQUIRE(seen.record.downloads.size() == 1);
  CHECK_FALSE(seen.record.downloads.begin()->digest);
  REQUIRE(seen.failures.size() == 1);
  CHECK(seen.failures[0].ends_with("/file': the server hung up before its answer was whole"));
}

TEST_CASE("what a server answers against the rules reaches no program") {
  for (const char* answer : {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                             "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy", "SSH-2.0-x\r\n\r\n",
                             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"}) {
    OneAnswerServer server(answer);
    Proxy proxy;
    const Fd client = connect_to(proxy.port);
    put(client, request_for(server, "Upgrade: x\r\n"));
    CHECK(get(client, "").starts_with("HTTP/1.1 502 kiln: "));
    CHECK(proxy.proxy.finish().failures.size() == 1);
  }
}

TEST_CASE("a kept connection takes several requests, and another where the server has closed it") {
  OneAnswerServer server("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 2);
  Proxy proxy;
  const Fd client = connect_to(proxy.port);
  for (int i = 0; i < 2; ++i) {
    put(client, request_for(server));
    CHECK(get(client, "\r\n\r\nx").starts_with("HTTP/1.1 200 OK"));
  }
  CHECK(proxy.proxy.finish().record.downloads.size() == 1);
}

TEST_CASE("a proxy with a password is for who has it") {
  OneAnswerServer server("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
  RecordingOptions options;
  options.password = "secret";
  Proxy proxy(options);
  for (const char* words : {"", "kiln:secreT", "kiln:"}) {
    const Fd other = connect_to(proxy.port);
    const std::string field = "Proxy-Authorization: Basic " + base64_encoded(words) + "\r\n";
    put(other, request_for(server, *words == '\0' ? "" : field));
    CHECK(get(other, "").starts_with("HTTP/1.1 407 kiln: this proxy is for one RUN"));
  }
  const Fd client = connect_to(proxy.port);
  put(client, request_for(server, "Proxy-Authorization: Basic " + base64_encoded("kiln:secret") + "\r\n"));
  CHECK(get(client, "\r\n\r\nx").starts_with("HTTP/1.1 200 OK"));
  CHECK(server.request().find("Authorization") == std::string::npos);
}

TEST_CASE("a host that is not looked into is tunnelled, and its bytes are counted") {
  OneAnswerServer server("\x01opaque");
  RecordingOptions options;
  options.unrecorded_hosts = {"127.0.0.1"};
  Proxy proxy(options);
  const Fd client = connect_to(proxy.port);
  put(client, fmt::format("CONNECT 127.0.0.1:{} HTTP/1.1\r\n\r\n", server.port()));
  CHECK(get(client, "\r\n\r\n") == "HTTP/1.1 200 Connection established\r\n\r\n");
  put(client, "any\r\n\r\n");
  CHECK(get(client, "opaque") == "\x01opaque");
  CHECK(get(client, "") == "");
  const ProxyFindings seen = proxy.proxy.finish();
  REQUIRE(seen.record.tunnels.size() == 1);
  CHECK(seen.record.tunnels[0].sent_bytes == 7);
  CHECK(seen.record.tunnels[0].received_bytes == 7);
  CHECK(seen.record.downloads.empty());
}

TEST_CASE("hosts are listed by name or by what their names end in") {
  const std::vector<std::string> list = {"Example.org", "*.corp.example"};
  CHECK(is_listed_host(list, "example.org"));
  CHECK(is_listed_host(list, "a.b.corp.example"));
  CHECK_FALSE(is_listed_host(list, "corp.example"));
  CHECK_FALSE(is_listed_host(list, "www.example.org"));
}

TEST_CASE("a server that is not there is named, to the program and in what was seen") {
  std::uint16_t port;
  {
    const LoopbackListener gone = listen_on_loopback();
    port = gone.port;
  }
  Proxy proxy;
  const Fd client = connect_to(proxy.port);
  put(client, fmt::format("GET http://127.0.0.1:{}/ HTTP/1.1\r\n\r\n", port));
  CHECK(get(client, "").starts_with(fmt::format("HTTP/1.1 502 kiln cannot reach 'http://127.0.0.1:{}':", port)));
  const ProxyFindings seen = proxy.proxy.finish();
  REQUIRE(seen.failures.size() == 1);
  CHECK(seen.failures[0].starts_with("the recording proxy cannot reach 'http://127.0.0.1:"));
}

TEST_CASE("what is no request to a proxy is refused") {
  Proxy proxy;
  for (const char* request : {"GET / HTTP/1.1\r\n\r\n", "GET ftp://h/ HTTP/1.1\r\n\r\n", "CONNECT h HTTP/1.1\r\n\r\n",
                              "GET http://user@h/ HTTP/1.1\r\n\r\n", "no request\r\n\r\n",
                              "AMETHODOFMORETHANTHIRTYTWOCHARACTERS http://h/ HTTP/1.1\r\n\r\n"}) {
    const Fd client = connect_to(proxy.port);
    put(client, request);
    CHECK(get(client, "").starts_with("HTTP/1.1 400 kiln: "));
  }
}

TEST_CASE("connections at a time are bounded, and 256 by default") {
  CHECK(RecordingOptions{}.most_connections == 256);
  RecordingOptions options;
  options.most_connections = 1;
  Proxy proxy(options);
  const Fd first = connect_to(proxy.port);
  put(first, "GET");
  const Fd second = connect_to(proxy.port);
  put(second, "GET http://h/ HTTP/1.1\r\n\r\n");
  CHECK(get(second, "").starts_with("HTTP/1.1 503 kiln: more than 1 connections"));
}

TEST_CASE("a proxy ends with connections open") {
  Proxy proxy;
  const Fd client = connect_to(proxy.port);
  put(client, "GET http://h");
  proxy.proxy.finish();
  CHECK(get(client, "") == "");
}

TEST_CASE("authorities are new each time, and contexts of 1,000 hosts are kept") {
  CertificateAuthority one, other;
  CHECK(one.certificate().starts_with("-----BEGIN CERTIFICATE-----"));
  CHECK(one.certificate() != other.certificate());
  CHECK(one.context_for("a.example") == one.context_for("a.example"));
  CHECK(one.context_for("::1") != nullptr);
  CHECK(CertificateAuthority::kMostHosts == 1'000);
}

TEST_CASE("of what went wrong 100 messages are kept") {
  ProxyNotes notes;
  for (int i = 0; i < 101; ++i) {
    notes.note_failure(fmt::format("failure {}", i));
    notes.note_refused(fmt::format("host{}", i), "alert unknown_ca");
  }
  const ProxyFindings found = notes.take();
  CHECK(found.failures.size() == 100);
  CHECK(found.refused.size() == 100);
}

TEST_CASE("a host at whose certificate a program hung up is named unless another request went through") {
  ProxyNotes notes;
  notes.note_unused("a.example");
  notes.note_unused("b.example");
  notes.note_trusted("b.example");
  const ProxyFindings found = notes.take();
  REQUIRE(found.refused.size() == 1);
  CHECK(found.refused[0] == RefusedCertificate{"a.example", "it hung up without a request"});
}

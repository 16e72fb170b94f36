#include "registry/remote/http.hpp"

#include <fmt/format.h>

#include <thread>

#include "tests/support/check_error.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/silent_server.hpp"
#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;
using Kind = Reaction::Kind;

namespace {

HttpRequest get(const HostileRegistry& registry, const std::string& path = "/v2/") {
  HttpRequest request;
  request.url = Url::parse("http://" + registry.authority() + path);
  return request;
}

TransportFault fault_of(HttpClient& client, const HttpRequest& request) {
  try {
    client.send(request, CancelToken());
  } catch (const TransportError& error) {
    CHECK(error.message().find("secret") == std::string::npos);
    return error.fault();
  }
  FAIL("expected a fault");
  return TransportFault::reset;
}

}  // namespace

TEST_CASE("a connection is used again") {
  HostileRegistry registry;
  const auto client = make_curl_client(HttpOptions{});
  for (int i = 0; i < 5; ++i) CHECK(client->send(get(registry), CancelToken()).status == 200);
  CHECK(registry.connections() == 1);
}

TEST_CASE("many threads send at once over one client") {
  HostileRegistry registry;
  const auto client = make_curl_client(HttpOptions{});
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 20; ++k) good += client->send(get(registry), CancelToken()).status == 200 ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 160);
}

TEST_CASE("faults are told apart, and no query shows") {
  HostileRegistry registry;
  const auto client = make_curl_client(HttpOptions{});
  const auto fault = [&](Reaction reaction) {
    registry.script([=](const SeenRequest&, int) { return reaction; });
    return fault_of(*client, get(registry, "/v2/?sig=secret"));
  };
  CHECK(fault({Kind::reset, {}, 0}) == TransportFault::reset);
  CHECK(fault({Kind::truncate, {}, 1}) == TransportFault::truncated);
  CHECK(fault({Kind::endless, {}, 0}) == TransportFault::too_large);
  HttpRequest nobody = get(registry);
  nobody.url.port = 1;
  CHECK(fault_of(*client, nobody) == TransportFault::connect);
  HttpRequest tls = get(registry);
  tls.url.scheme = "https";
  CHECK(fault_of(*client, tls) == TransportFault::tls);
}

TEST_CASE("a header that is too large, or a line of it, is told as what it is") {
  HostileRegistry registry;
  const auto client = make_curl_client(HttpOptions{});
  const auto message_for = [&](std::vector<std::pair<std::string, std::string>> headers) {
    registry.script([=](const SeenRequest&, int) { return Reaction{Kind::answer, {200, headers, ""}, 0}; });
    return error_of([&] { client->send(get(registry), CancelToken()); });
  };
  CHECK(message_for({{"X", std::string(120 << 10, 'x')}})
            .ends_with("a line of the answer's header is longer than 100 KiB"));
  std::vector<std::pair<std::string, std::string>> many(30, {"X", std::string(10 << 10, 'x')});
  CHECK(message_for(many).ends_with("the answer's header is larger than 256 KiB"));
}

TEST_CASE("a connection on which nothing moves is a stall") {
  HostileRegistry registry;
  registry.script([](const SeenRequest&, int) { return Reaction{Kind::stall, {}, 1}; });
  const auto client = make_curl_client(impatient_http());
  CHECK(fault_of(*client, get(registry)) == TransportFault::stalled);
}

TEST_CASE("a body that comes byte by byte is a stall too") {
  HostileRegistry registry;
  registry.script([](const SeenRequest&, int) { return Reaction{Kind::drip, {200, {}, std::string(900, 'x')}, 0}; });
  const auto client = make_curl_client(impatient_http());
  CHECK(fault_of(*client, get(registry)) == TransportFault::stalled);
}

TEST_CASE("an address that is more private than allowed is not connected to, on new and on kept connections") {
  HostileRegistry registry;
  const auto client = make_curl_client(HttpOptions{});
  HttpRequest request = get(registry);
  request.url.host = "localhost";  // a name: only the connection tells where it leads
  request.most_private = AddressClass::public_network;
  CHECK(fault_of(*client, request) == TransportFault::refused);
  CHECK(registry.connections() == 0);
  request.most_private = AddressClass::loopback;
  CHECK(client->send(request, CancelToken()).status == 200);
  request.most_private = AddressClass::private_network;
  CHECK(fault_of(*client, request) == TransportFault::refused);
  CHECK(registry.requests().size() == 1);
}

TEST_CASE("where a proxy leads to is the proxy's business: no address is refused, and none is known") {
  HostileRegistry proxy;
  proxy.script([](const SeenRequest&, int) { return Reaction{Kind::answer, {200, {}, "through"}, 0}; });
  HttpOptions options;
  options.proxies = ProxySettings("http://" + proxy.authority(), "", "");
  const auto client = make_curl_client(options);
  HttpRequest request;
  request.url = Url::parse("http://registry.example/v2/");
  request.most_private = AddressClass::public_network;  // and the proxy is on loopback
  const HttpResponse response = client->send(request, CancelToken());
  CHECK(response.body == "through");
  CHECK(response.through_proxy);
  CHECK(response.remote_address.empty());
  CHECK(proxy.requests().at(0).head.starts_with("GET http://registry.example/v2/ "));
}

TEST_CASE("a slow sink holds its own connection back and no other") {
  HostileRegistry registry;
  const std::string bytes = bytes_of(8'000'000);
  const std::string digest = registry.add_blob("a", bytes);
  const auto client = make_curl_client(HttpOptions{});
  HttpRequest request = get(registry, "/v2/a/blobs/" + digest);
  std::string got;
  bool asked = false;
  request.on_body = [&](std::string_view piece) {
    CHECK(piece.size() <= 2'000'000);
    got += piece;
    if (!asked) CHECK(client->send(get(registry), CancelToken()).status == 200);
    asked = true;
    return AfterPiece::go_on;
  };
  CHECK(client->send(request, CancelToken()).received_bytes == bytes.size());
  CHECK(got == bytes);
}

TEST_CASE("what a sink throws leaves send") {
  HostileRegistry registry;
  const std::string digest = registry.add_blob("a", bytes_of(3'000'000));
  const auto client = make_curl_client(HttpOptions{});
  HttpRequest request = get(registry, "/v2/a/blobs/" + digest);
  request.on_body = [](std::string_view) -> AfterPiece { throw Error(Category::machine, "disk full"); };
  CHECK_ERROR(client->send(request, CancelToken()), Category::machine, "disk full");
  CHECK(client->send(get(registry), CancelToken()).status == 200);
}

TEST_CASE("a sink that wants no more ends the request, and the answer is what came until then") {
  HostileRegistry registry;
  const std::string digest = registry.add_blob("a", bytes_of(8'000'000));
  const auto client = make_curl_client(HttpOptions{});
  HttpRequest request = get(registry, "/v2/a/blobs/" + digest);
  int pieces = 0;
  request.on_body = [&](std::string_view) { return ++pieces < 2 ? AfterPiece::go_on : AfterPiece::stop; };
  const HttpResponse response = client->send(request, CancelToken());
  CHECK(response.was_stopped);
  CHECK(response.status == 200);
  CHECK(response.headers.find("Content-Length") == "8000000");
  CHECK(pieces == 2);
  CHECK(client->send(get(registry), CancelToken()).status == 200);
}

TEST_CASE("a cancelled request ends soon") {
  HostileRegistry registry;
  registry.script([](const SeenRequest&, int) { return Reaction{Kind::stall, {}, 1}; });
  const auto client = make_curl_client(HttpOptions{});
  CancelToken cancel;
  std::thread canceller([&] {
    while (registry.requests().empty()) std::this_thread::yield();
    cancel.cancel(2);
  });
  CHECK_ERROR(client->send(get(registry), cancel), Category::cancelled, "stopped on request");
  canceller.join();
}

TEST_CASE("a body is piped from another thread while it is sent") {
  HostileRegistry registry;
  const std::string bytes = bytes_of(5'000'000);
  const auto client = make_curl_client(HttpOptions{});
  const auto pipe = std::make_shared<PipeBody>(bytes.size(), 100'000);
  std::thread writer([&] {
    for (std::size_t at = 0; at < bytes.size(); at += 70'000)
      CHECK(pipe->write(std::string_view(bytes).substr(at, 70'000)));
  });
  HttpRequest request = get(registry, "/v2/a/blobs/uploads/x");
  request.method = HttpMethod::put;
  request.body = pipe;
  const HttpResponse response = client->send(request, CancelToken());
  writer.join();
  CHECK(response.status == 404);
  CHECK(response.sent_bytes == bytes.size());
}

TEST_CASE("a writer's failure ends the request, and a gone reader lets the writer go") {
  HostileRegistry registry;
  const auto client = make_curl_client(HttpOptions{});
  const auto pipe = std::make_shared<PipeBody>(100, 10);
  HttpRequest request = get(registry, "/v2/a/blobs/uploads/x");
  request.method = HttpMethod::put;
  request.body = pipe;
  std::thread writer([&] {
    pipe->write("0123456789");
    pipe->fail(Error(Category::network, "the source is gone"));
  });
  CHECK_ERROR(client->send(request, CancelToken()), Category::network, "the source is gone");
  writer.join();
  pipe->close_reader();
  CHECK_FALSE(pipe->write("more"));
}

TEST_CASE("an early answer to a large upload is read") {
  HostileRegistry registry;
  registry.script([](const SeenRequest& request, int) {
    return request.method == "PUT" ? Reaction{Kind::answer_early, {413, {}, "too large"}, 0} : Reaction{};
  });
  const auto client = make_curl_client(HttpOptions{});
  HttpRequest request = get(registry, "/v2/a/blobs/uploads/x");
  request.method = HttpMethod::put;
  request.body = memory_body(bytes_of(5'000'000));
  const HttpResponse response = client->send(request, CancelToken());
  CHECK(response.status == 413);
  CHECK(response.body == "too large");
  CHECK(response.sent_bytes < 5'000'000);
}

TEST_CASE("header fields compare without case") {
  HttpHeaders headers;
  headers.add("Link", "a");
  headers.add("LINK", "b");
  CHECK(headers.find("link") == "a");
  CHECK(headers.all("link").size() == 2);
  CHECK_FALSE(headers.find("lin").has_value());
}

TEST_CASE("a server that takes a connection and says no word of TLS is left") {
  const SilentServer server;
  HttpOptions options;
  options.connect_timeout_ms = 200;
  HttpRequest request;
  request.url = Url::parse(fmt::format("https://127.0.0.1:{}/v2/", server.port()));
  request.most_private = AddressClass::loopback;
  CHECK(fault_of(*make_curl_client(options), request) == TransportFault::connect);
}

TEST_CASE("servers are waited for as long as the table of limits says") {
  const HttpOptions usual;
  CHECK(usual.connect_timeout_ms == 30'000);
  CHECK(usual.answer_timeout_ms == 300'000);
  CHECK(usual.stall_timeout_ms == 60'000);
  CHECK(usual.least_bytes_per_second == 1024);
  CHECK(usual.kept_body_timeout_ms == 300'000);
}

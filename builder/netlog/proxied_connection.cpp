#include "builder/netlog/proxied_connection.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/base64.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/netlog/certificate_authority.hpp"
#include "builder/netlog/exchange.hpp"
#include "registry/remote/http.hpp"

namespace kiln {

namespace {

constexpr int kFirstByteMs = 30'000;  // of a tunnel, in which a program has to say what it speaks
constexpr std::size_t kMaxMethodBytes = 32;
constexpr char kTlsHandshake = 0x16;

// What is said between a program and its proxy, and nothing of it to the server.
constexpr std::array<const char*, 8> kHopFields = {"Connection", "Proxy-Connection",   "Proxy-Authorization",
                                                   "Keep-Alive", "Proxy-Authenticate", "Upgrade",
                                                   "TE",         "HTTP2-Settings"};

std::uint16_t default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

}  // namespace

ProxiedConnection::ProxiedConnection(Fd client, ProxyShared& shared)
    : shared_(shared), client_(std::make_unique<SocketStream>(std::move(client))) {}

void ProxiedConnection::serve() noexcept {
  try {
    serve_requests();
  } catch (const TransportError& error) {
    shared_.notes.note_failure(error.message());
  } catch (const std::exception&) {
    // The program or the server has hung up, or the RUN is over.
  }
}

void ProxiedConnection::serve_busy() noexcept {
  try {
    if (next_head()) answer(503, fmt::format("kiln: more than {} connections", shared_.options.most_connections));
  } catch (const std::exception&) {
    // The program has hung up.
  }
}

void ProxiedConnection::wait(short client_events, short server_events, int timeout_ms) {
  std::array<pollfd, 3> polled{pollfd{client_->descriptor(), client_events, 0},
                               pollfd{server_events != 0 && server_ ? server_->descriptor() : -1, server_events, 0},
                               pollfd{shared_.stop.get(), POLLIN, 0}};
  const int ready = ::poll(polled.data(), polled.size(), timeout_ms);
  if (ready < 0 && errno != EINTR) throw_errno("wait for", "a connection");
  if (ready == 0) throw Error(Category::network, "nothing came");
  if (polled[2].revents != 0) throw Error(Category::cancelled, "the command has ended");
  const bool is_gone = (polled[0].revents & (POLLHUP | POLLERR)) != 0;
  if (is_gone && client_events == 0) throw Error(Category::network, "the program has hung up");
}

void ProxiedConnection::send_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t put = client_->write(bytes);
    bytes.remove_prefix(put);
    if (put == 0) wait(POLLOUT, 0);
  }
  while (!client_->flush()) wait(POLLOUT, 0);
}

void ProxiedConnection::answer(int status, const std::string& reason, const std::string& extra_field) {
  const std::string line = printable(reason).substr(0, 1000);
  send_all(
      fmt::format("HTTP/1.1 {} {}\r\n{}Content-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}\n",
                  status, line, extra_field, line.size() + 1, line));
}

std::optional<HttpHead> ProxiedConnection::next_head() {
  for (;;) {
    // An empty line before a request is passed over (RFC 9112, 2.2).
    while (received_.starts_with("\r\n")) received_.erase(0, 2);
    try {
      if (const auto end = end_of_head(received_)) {
        HttpHead head = HttpHead::parse_request(std::string_view(received_).substr(0, *end));
        received_.erase(0, *end);
        if (head.method.size() > kMaxMethodBytes) throw Error(Category::network, "its method is too long");
        return head;
      }
    } catch (const Error& error) {
      const std::string problem = "the recording proxy refuses a request: " + error.message();
      shared_.notes.note_failure(problem);
      answer(400, "kiln: " + problem);
      return std::nullopt;
    }
    const std::optional<std::string> bytes = client_->read();
    if (bytes && bytes->empty()) return std::nullopt;
    if (bytes) {
      received_ += *bytes;
    } else {
      client_->flush();
      wait(POLLIN, 0);
    }
  }
}

bool ProxiedConnection::is_authorised(const HttpHead& head) const {
  if (shared_.options.password.empty()) return true;
  const std::string* field = head.find("Proxy-Authorization");
  const std::string expected = "Basic " + base64_encoded("kiln:" + shared_.options.password);
  return field && field->size() == expected.size() &&
         CRYPTO_memcmp(field->data(), expected.data(), expected.size()) == 0;
}

void ProxiedConnection::serve_requests() {
  std::optional<Server> tunnel;
  bool is_first_of_tunnel = false;
  for (;;) {
    const std::optional<HttpHead> head = next_head();
    if (!head) {
      if (tls_ && is_first_of_tunnel) {
        const HandshakeRefusal& refusal = tls_->refusal();
        if (refusal.by_program)
          shared_.notes.note_refused(tunnel->authority.host, refusal.reason);
        else
          shared_.notes.note_unused(tunnel->authority.host);
      }
      return;
    }
    if (!tunnel && !is_authorised(*head)) {
      return answer(407, "kiln: this proxy is for one RUN, which has its password",
                    "Proxy-Authenticate: Basic realm=\"kiln\"\r\n");
    }
    if (!tunnel && head->method == "CONNECT") {
      tunnel = serve_connect(*head);
      if (!tunnel) return;
      is_first_of_tunnel = true;
      continue;
    }
    if (tls_ && is_first_of_tunnel) shared_.notes.note_trusted(tunnel->authority.host);
    is_first_of_tunnel = false;
    std::optional<Server> server = tunnel;
    std::string target = head->target;
    if (!tunnel && target.starts_with("http://")) {
      const std::size_t slash = std::min(target.find('/', 7), target.size());
      const auto authority = HttpAuthority::parse(std::string_view(target).substr(7, slash - 7), 80);
      if (authority) server = Server{"http", *authority};
      target = slash == head->target.size() ? "/" : target.substr(slash);
    }
    const std::string* host = head->find("Host");
    const bool is_other_host =
        tunnel && host && HttpAuthority::parse(*host, default_port(tunnel->scheme)) != tunnel->authority;
    if (!server || !target.starts_with('/')) {
      return answer(400, "kiln: expected a request for http://HOST/, or CONNECT HOST:PORT");
    }
    if (is_other_host) {
      const std::string problem =
          fmt::format("a request to '{}' names '{}' as its host: what is recorded would be of another server",
                      tunnel->authority.str(0), printable(*host));
      shared_.notes.note_failure(problem);
      return answer(421, "kiln: " + problem);
    }
    if (carry(*head, *server, target) == After::close) return;
  }
}

// What the requests behind it are for; nullopt where the connection is over.
std::optional<ProxiedConnection::Server> ProxiedConnection::serve_connect(const HttpHead& head) {
  const auto authority = HttpAuthority::parse(head.target);
  if (!authority) {
    answer(400, "kiln: expected CONNECT HOST:PORT");
    return std::nullopt;
  }
  if (is_listed_host(shared_.options.unrecorded_hosts, authority->host)) {
    carry_tunnel(*authority);
    return std::nullopt;
  }
  send_all("HTTP/1.1 200 Connection established\r\n\r\n");
  while (received_.empty()) {
    const std::optional<std::string> bytes = client_->read();
    if (bytes && bytes->empty()) return std::nullopt;
    if (bytes) {
      received_ = *bytes;
    } else {
      wait(POLLIN, 0, kFirstByteMs);
    }
  }
  if (received_.front() != kTlsHandshake) return Server{"http", *authority};
  if (!start_tls(*authority)) return std::nullopt;
  return Server{"https", *authority};
}

bool ProxiedConnection::start_tls(const HttpAuthority& authority) {
  auto stream =
      std::make_unique<TlsStream>(std::move(client_), shared_.authority, authority.host, std::move(received_));
  received_.clear();
  TlsStream& tls = *stream;
  client_ = std::move(stream);
  for (;;) {
    switch (tls.handshake()) {
      case TlsStream::Handshake::done:
        tls_ = &tls;
        return true;
      case TlsStream::Handshake::under_way:
        wait(tls.flush() ? POLLIN : POLLIN | POLLOUT, 0);
        break;
      case TlsStream::Handshake::failed:
        if (tls.refusal().by_program) {
          shared_.notes.note_refused(authority.host, tls.refusal().reason);
        } else {
          shared_.notes.note_failure(
              fmt::format("TLS of a program to '{}' failed: {}", authority.host, tls.refusal().reason));
        }
        return false;
    }
  }
}

void ProxiedConnection::open_server(const Server& server) {
  server_.reset();
  const Url url = Url::parse(server.scheme + "://" + server.authority.str(0) + "/");
  server_ = RawConnection::open(url, shared_.options.upstream);
  server_place_ = server;
}

// From a server that was not asked comes its end, and nothing else.
bool ProxiedConnection::server_is_alive() {
  try {
    return !server_->read();
  } catch (const Error&) {
    return false;
  }
}

ProxiedConnection::After ProxiedConnection::carry(HttpHead request, const Server& server, const std::string& target) {
  Exchange exchange;
  try {
    const std::uint16_t usual = default_port(server.scheme);
    const std::string authority = server.authority.str(usual);
    // As it is sent: what a server makes of dots or of encoded letters is its own affair.
    exchange.url = server.scheme + "://" + authority + target.substr(0, target.find('?'));
    exchange.method = request.method;
    exchange.note = [this](Download download) { shared_.notes.add(std::move(download)); };
    exchange.asked_to_close = !request.keeps_connection();
    exchange.request_length = BodyLength::of_request(request);
    for (const char* name : kHopFields) request.remove(name);
    request.remove("Host");
    request.fields.insert(request.fields.begin(), {"Host", authority});
    request.fields.emplace_back("Connection", exchange.asked_to_close ? "close" : "keep-alive");
  } catch (const Error& error) {
    const std::string problem = "the recording proxy refuses a request: " + error.message();
    shared_.notes.note_failure(problem);
    answer(400, "kiln: " + problem);
    return After::close;
  }
  bool is_kept = server_ && server_place_ == server && server_is_alive();
  for (;;) {
    try {
      if (!is_kept) open_server(server);
    } catch (const Error& error) {
      shared_.notes.note_failure("the recording proxy cannot reach " + error.message());
      answer(502, "kiln cannot reach " + error.message());
      return After::close;
    }
    request.target =
        server_->wants_absolute_target() ? server.scheme + "://" + server.authority.str(80) + target : target;
    HttpHead sent = request;
    if (!server_->proxy_authorization().empty())
      sent.fields.emplace_back("Proxy-Authorization", server_->proxy_authorization());
    exchange.to_server = sent.text();
    ExchangeEnds ends{*client_, *server_, received_, [this](short client, short other) { wait(client, other); }};
    const ExchangeEnd end = exchange.carry(ends);
    // A server may close a connection in the very moment in which it is used again.
    const bool may_repeat = is_kept && exchange.is_without_body();
    is_kept = false;
    if (end == ExchangeEnd::unanswered && may_repeat) continue;
    if (!exchange.problem.empty() || end == ExchangeEnd::unanswered) {
      shared_.notes.note_failure(fmt::format("'{}': {}", exchange.url, exchange.problem));
      if (!exchange.has_answered) answer(502, "kiln: " + exchange.problem);
    }
    return end == ExchangeEnd::kept ? After::next_request : After::close;
  }
}

// A host that is not looked into: bytes are counted.
void ProxiedConnection::carry_tunnel(const HttpAuthority& authority) {
  try {
    server_ = RawConnection::open_tunnel(Url::parse("https://" + authority.str(0) + "/"), shared_.options.upstream);
  } catch (const Error& error) {
    shared_.notes.note_failure("the recording proxy cannot reach " + error.message());
    return answer(502, "kiln cannot reach " + error.message());
  }
  Tunnel tunnel{authority.host, authority.port, 0, 0};
  struct Noted {
    ProxyNotes& notes;
    const Tunnel& tunnel;
    ~Noted() { notes.add(tunnel); }
  } noted{shared_.notes, tunnel};
  send_all("HTTP/1.1 200 Connection established\r\n\r\n");
  std::string to_client, to_server = std::move(received_);
  tunnel.sent_bytes = to_server.size();
  bool client_ended = false, server_ended = false;
  for (;;) {
    bool moved = false;
    if (to_server.empty() && !client_ended) {
      if (auto bytes = client_->read()) {
        client_ended = bytes->empty();
        if (client_ended) ::shutdown(server_->descriptor(), SHUT_WR);
        tunnel.sent_bytes += bytes->size();
        to_server = std::move(*bytes);
        moved = true;
      }
    }
    if (to_client.empty() && !server_ended) {
      if (auto bytes = server_->read()) {
        server_ended = bytes->empty();
        tunnel.received_bytes += bytes->size();
        to_client = std::move(*bytes);
        moved = true;
      }
    }
    const std::size_t to_server_put = server_->write(to_server);
    to_server.erase(0, to_server_put);
    const std::size_t to_client_put = client_->write(to_client);
    to_client.erase(0, to_client_put);
    if (to_server_put > 0 || to_client_put > 0) moved = true;
    const bool is_flushed = server_->flush();
    if (server_ended && to_client.empty()) return;
    if (moved) continue;
    const int client_events = (to_server.empty() && !client_ended ? POLLIN : 0) | (to_client.empty() ? 0 : POLLOUT);
    const int server_events =
        (to_client.empty() && !server_ended ? POLLIN : 0) | (to_server.empty() && is_flushed ? 0 : POLLOUT);
    wait(static_cast<short>(client_events), static_cast<short>(server_events));
  }
}

}  // namespace kiln

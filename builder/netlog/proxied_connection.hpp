#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/fd.hpp"
#include "builder/netlog/byte_stream.hpp"
#include "builder/netlog/http_message.hpp"
#include "builder/netlog/recording_proxy.hpp"

// For recording_proxy.cpp alone.

namespace kiln {

// What all connections of a proxy write into. Any thread.
class ProxyNotes {
 public:
  void add(Download download);
  void add(const Tunnel& tunnel);
  void note_refused(const std::string& host, const std::string& reason);
  // A program opened TLS and hung up without a request: it may have looked at the certificate after the handshake.
  void note_unused(const std::string& host);
  // A request came through TLS.
  void note_trusted(const std::string& host);
  void note_failure(const std::string& text);
  ProxyFindings take();

 private:
  std::mutex mutex_;
  NetworkRecord record_;
  std::set<RefusedCertificate> refused_;
  std::set<std::string> unused_;
  std::set<std::string> trusted_;
  std::set<std::string> failures_;
};

struct ProxyShared {
  CertificateAuthority& authority;
  RecordingOptions options;
  ProxyNotes notes;
  Fd stop;  // readable once all connections are to end
};

// One connection of a program to the proxy, from its first byte to its last.
class ProxiedConnection {
 public:
  ProxiedConnection(Fd client, ProxyShared& shared);
  // Returns when it is over; throws nothing.
  void serve() noexcept;
  // Answers whatever comes first that there are too many.
  void serve_busy() noexcept;

 private:
  // Where requests of a tunnel go; of others each says it.
  struct Server {
    std::string scheme;
    HttpAuthority authority;
    bool operator==(const Server&) const = default;
  };
  enum class After { next_request, close };

  void serve_requests();
  std::optional<HttpHead> next_head();
  bool is_authorised(const HttpHead& head) const;
  std::optional<Server> serve_connect(const HttpHead& head);
  bool start_tls(const HttpAuthority& authority);
  void carry_tunnel(const HttpAuthority& authority);
  After carry(HttpHead request, const Server& server, const std::string& target);
  void open_server(const Server& server);
  bool server_is_alive();
  void answer(int status, const std::string& reason, const std::string& extra_field = {});
  void send_all(std::string_view bytes);
  void wait(short client_events, short server_events, int timeout_ms = -1);

  ProxyShared& shared_;
  std::unique_ptr<ByteStream> client_;
  TlsStream* tls_ = nullptr;  // the client's, where it speaks TLS
  std::string received_;      // from the client, not looked at yet
  std::optional<RawConnection> server_;
  Server server_place_;
};

}  // namespace kiln

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "builder/netlog/network_record.hpp"
#include "registry/remote/raw_connection.hpp"

namespace kiln {

class CertificateAuthority;

struct RecordingOptions {
  RawConnection::Options upstream;
  std::string password;                       // of who may use the proxy; empty: all that reach it
  std::vector<std::string> unrecorded_hosts;  // "example.org", "*.example.org": tunnelled, not looked into
  std::size_t most_connections = 256;         // at a time; one more is answered by an error
};

// A program did not take the certificate that the proxy showed for a host.
struct RefusedCertificate {
  std::string host;
  std::string reason;  // "alert unknown_ca"
  auto operator<=>(const RefusedCertificate&) const = default;
};

// What a proxy saw in its life.
struct ProxyFindings {
  NetworkRecord record;
  std::vector<RefusedCertificate> refused;  // each host once for each reason
  std::vector<std::string> failures;        // servers that could not be reached and messages that were refused
};

// The HTTP proxy of one RUN: HTTP/1.1 to a server that a request names, and TLS that it opens by certificates of its
// own authority. All answers are digested on their way. Connections to servers are made by this process, on the
// machine's network and through its proxies.
//
// It has a thread for itself and one for each connection. Its programs and its servers are not trusted.
class RecordingProxy {
 public:
  static constexpr std::size_t kMostFindings = 100;  // of each kind in ProxyFindings but the record

  // `listener` is a listening TCP socket of any network namespace. The authority is borrowed.
  RecordingProxy(Fd listener, CertificateAuthority& authority, RecordingOptions options);
  ~RecordingProxy();
  RecordingProxy(const RecordingProxy&) = delete;
  RecordingProxy& operator=(const RecordingProxy&) = delete;

  // Ends all connections and returns what was seen. Once.
  ProxyFindings finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A listening socket on a free port of 127.0.0.1, and the port.
struct LoopbackListener {
  Fd socket;
  std::uint16_t port = 0;
};
// `port` 0: a free one. In the network namespace of the calling thread.
LoopbackListener listen_on_loopback(std::uint16_t port = 0);

// Whether a host is one of a list as that of RecordingOptions.
bool is_listed_host(const std::vector<std::string>& list, const std::string& host);

}  // namespace kiln

#pragma once

#include <compare>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "registry/oci/digest.hpp"

namespace kiln {

// What a RUN's recording proxy saw. docs/network.md says what each mode promises.
enum class NetworkPromise {
  logged,    // what went through the proxy; the command could go around it
  recorded,  // all there was: the command had no other way out
  none,      // the command had no network
};

std::string_view to_string(NetworkPromise promise);

// An answer that a command got. Its URL has neither user nor query.
struct Download {
  std::string url;
  std::string method;
  int status = 0;
  std::uint64_t bytes = 0;            // of the answer's body as it was sent: no content coding is undone
  std::optional<oci::Digest> digest;  // of these bytes; none where the body is not whole

  // Of which the digest is that of what stands behind the URL.
  bool is_whole() const { return digest && status == 200 && bytes > 0 && (method == "GET" || method == "POST"); }
  auto operator<=>(const Download&) const = default;
};

// A connection to a host of --network-unrecorded: its bytes are not looked into.
struct Tunnel {
  std::string host;
  std::uint16_t port = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_bytes = 0;
};

// What was fetched while a RUN was executed. It is part of the step's record; as JSON:
//   {"promise": "recorded", "downloads": [{"url": URL, "method": "GET", "status": 200, "bytes": N, "digest": DIGEST}],
//    "tunnels": [{"host": NAME, "port": N, "sent_bytes": N, "received_bytes": N}], "omitted": N}
struct NetworkRecord {
  // Of what is kept; what is beyond is counted in `omitted`.
  static constexpr std::size_t kMostDownloads = 10'000;
  static constexpr std::size_t kMostTunnels = 1'000;
  static constexpr std::size_t kMaxUrlBytes = 1024;

  NetworkPromise promise = NetworkPromise::logged;
  std::set<Download> downloads;  // each once, by URL: in the same order whatever came first
  std::vector<Tunnel> tunnels;   // by host and port
  std::uint64_t omitted = 0;

  void add(Download download);
  void add(const Tunnel& tunnel);
  std::uint64_t bytes() const;

  nlohmann::json to_json() const;
  // Error{machine} naming `where` for what is no such record.
  static NetworkRecord from_json(const nlohmann::json& value, std::string_view where);
};

}  // namespace kiln

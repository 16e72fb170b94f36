#include "builder/netlog/network_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "base/error.hpp"
#include "base/json_members.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

using nlohmann::json;

constexpr NetworkPromise kPromises[] = {NetworkPromise::logged, NetworkPromise::recorded, NetworkPromise::none};

}  // namespace

std::string_view to_string(NetworkPromise promise) {
  switch (promise) {
    case NetworkPromise::logged:
      return "logged";
    case NetworkPromise::recorded:
      return "recorded";
    case NetworkPromise::none:
      return "none";
  }
  return "logged";
}

void NetworkRecord::add(Download download) {
  if (download.url.size() > kMaxUrlBytes || (downloads.size() >= kMostDownloads && !downloads.count(download))) {
    ++omitted;
    return;
  }
  downloads.insert(std::move(download));
}

void NetworkRecord::add(const Tunnel& tunnel) {
  const auto place = [](const Tunnel& one) { return std::tie(one.host, one.port); };
  const auto at = std::lower_bound(tunnels.begin(), tunnels.end(), tunnel,
                                   [&](const Tunnel& a, const Tunnel& b) { return place(a) < place(b); });
  if (at != tunnels.end() && place(*at) == place(tunnel)) {
    at->sent_bytes += tunnel.sent_bytes;
    at->received_bytes += tunnel.received_bytes;
  } else if (tunnels.size() >= kMostTunnels) {
    ++omitted;
  } else {
    tunnels.insert(at, tunnel);
  }
}

std::uint64_t NetworkRecord::bytes() const {
  std::uint64_t sum = 0;
  for (const Download& download : downloads) sum += download.bytes;
  for (const Tunnel& tunnel : tunnels) sum += tunnel.received_bytes;
  return sum;
}

json NetworkRecord::to_json() const {
  json result = {{"promise", to_string(promise)}, {"downloads", json::array()}, {"tunnels", json::array()}};
  for (const Download& download : downloads) {
    json entry = {{"url", download.url},
                  {"method", download.method},
                  {"status", static_cast<unsigned>(download.status)},
                  {"bytes", download.bytes}};
    if (download.digest) entry["digest"] = download.digest->str();
    result["downloads"].push_back(std::move(entry));
  }
  for (const Tunnel& tunnel : tunnels) {
    result["tunnels"].push_back({{"host", tunnel.host},
                                 {"port", tunnel.port},
                                 {"sent_bytes", tunnel.sent_bytes},
                                 {"received_bytes", tunnel.received_bytes}});
  }
  if (omitted != 0) result["omitted"] = omitted;
  return result;
}

NetworkRecord NetworkRecord::from_json(const json& value, std::string_view where) {
  const JsonMembers::Refuse refuse = JsonMembers::refusal(where, Category::machine);
  const JsonMembers members(value, refuse);
  NetworkRecord record;
  const std::string word = members.string("promise");
  const auto promise = std::find_if(std::begin(kPromises), std::end(kPromises),
                                    [&](NetworkPromise one) { return to_string(one) == word; });
  if (promise == std::end(kPromises)) members.refuse("promise", "expected \"logged\", \"recorded\" or \"none\"");
  record.promise = *promise;
  members.each("downloads", [&](const JsonMembers& entry) {
    Download download{entry.string("url"), entry.string("method"), entry.small_integer("status"),
                      entry.unsigned_integer("bytes"), std::nullopt};
    if (entry.has("digest")) download.digest = oci::Digest::parse(entry.string("digest"), where, Category::machine);
    record.add(std::move(download));
  });
  members.each("tunnels", [&](const JsonMembers& entry) {
    record.add(Tunnel{entry.string("host"), static_cast<std::uint16_t>(entry.small_integer("port")),
                      entry.unsigned_integer("sent_bytes"), entry.unsigned_integer("received_bytes")});
  });
  record.omitted += members.unsigned_integer_or("omitted", 0);
  return record;
}

}  // namespace kiln

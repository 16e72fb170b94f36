#include "builder/cli/words/network_log.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/netlog/http_message.hpp"

namespace kiln::cli {

namespace {

void check_host(const std::string& host) {
  const std::string_view name = std::string_view(host).substr(host.starts_with("*.") ? 2 : 0);
  const auto parsed = HttpAuthority::parse(name, 443);
  if (parsed && parsed->host == to_lower(name)) return;
  throw Error(
      Category::usage,
      fmt::format("--network-unrecorded '{}': expected the name of a host, such as example.org or *.example.org",
                  printable(host)));
}

}  // namespace

void NetworkLogWords::add_to(Arguments& command) {
  command.flag("--network-log", log, "record what RUN downloads: its programs use a proxy of kiln's own")
      .option("--network-unrecorded", unrecorded,
              "a host that the recording proxy does not look into: its bytes are counted alone");
}

void NetworkLogWords::apply_to(BuildRequest& request, Log& told) const {
  for (const std::string& host : unrecorded) check_host(host);
  request.settings.runs.network_log = log;
  request.settings.runs.unrecorded_hosts = unrecorded;
  const std::vector<TargetSpec>& targets = request.fleet.targets;
  const bool is_recorded = log || std::any_of(targets.begin(), targets.end(), [](const TargetSpec& target) {
                             return target.network == NetworkMode::recorded;
                           });
  if (!unrecorded.empty() && !is_recorded)
    told.warn("--network-unrecorded changes nothing without --network-log or the network 'recorded'");
}

}  // namespace kiln::cli

#include "builder/report/network_sums.hpp"

#include <fmt/format.h>

#include "base/count_of.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

std::string words_of(std::size_t downloads, std::size_t tunnels, std::uint64_t bytes) {
  std::string words = count_of(downloads, "download");
  if (tunnels != 0) words += fmt::format(" and {} not looked into", count_of(tunnels, "host"));
  return fmt::format("{}, {}", words, human_bytes(bytes));
}

}  // namespace

std::vector<NetworkSum> network_sums(const BuildReport& report) {
  std::vector<NetworkSum> sums;
  for (const ReportStep& step : report.steps) {
    if (!step.network || (step.network->downloads.empty() && step.network->tunnels.empty())) continue;
    const std::uint64_t bytes = step.network->bytes();
    sums.push_back({&step, bytes, words_of(step.network->downloads.size(), step.network->tunnels.size(), bytes)});
  }
  return sums;
}

std::string network_summary(const BuildReport& report) {
  std::size_t recorded = 0, unknown = 0, downloads = 0, tunnels = 0;
  for (const ReportStep& step : report.steps) {
    if (step.network) {
      ++recorded;
      downloads += step.network->downloads.size();
      tunnels += step.network->tunnels.size();
    } else if (step.text.starts_with("RUN ") && step.outcome != StepOutcome::failed) {
      ++unknown;
    }
  }
  if (recorded == 0) return "";
  std::uint64_t bytes = 0;
  const std::vector<NetworkSum> sums = network_sums(report);
  for (const NetworkSum& sum : sums) bytes += sum.bytes;
  std::string summary = fmt::format("{} in {}", words_of(downloads, tunnels, bytes), count_of(sums.size(), "step"));
  if (unknown != 0) summary += fmt::format("; {} not recorded", count_of(unknown, "RUN step"));
  return summary;
}

}  // namespace kiln

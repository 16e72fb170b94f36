#include "builder/cli/progress/throughput.hpp"

#include <algorithm>

namespace kiln {

namespace {
constexpr double kWindowSeconds = 5;
constexpr double kLeastSeconds = 0.5;
}  // namespace

void Throughput::add(double now, std::uint64_t bytes) {
  moved_.emplace_back(now, bytes);
  while (moved_.front().first < now - kWindowSeconds) moved_.pop_front();
}

std::uint64_t Throughput::rate(double now) const {
  std::uint64_t bytes = 0;
  double first = now;
  for (const auto& [time, moved] : moved_) {
    if (time < now - kWindowSeconds) continue;
    first = std::min(first, time);
    bytes += moved;
  }
  const double seconds = now - first;
  return seconds < kLeastSeconds ? 0 : static_cast<std::uint64_t>(static_cast<double>(bytes) / seconds);
}

}  // namespace kiln

#pragma once

#include <cstdint>
#include <deque>
#include <utility>

namespace kiln {

// Bytes per second over the last seconds.
class Throughput {
 public:
  // `now` never goes back.
  void add(double now, std::uint64_t bytes);
  // 0 where nothing moved lately, or where there is too little to tell by.
  std::uint64_t rate(double now) const;

 private:
  std::deque<std::pair<double, std::uint64_t>> moved_;
};

}  // namespace kiln

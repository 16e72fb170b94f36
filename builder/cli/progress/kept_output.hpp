#pragma once

#include <cstddef>
#include <deque>
#include <string>

namespace kiln {

// The lines that a step printed, kept until it is known what they are good for. Where they grow too large the first
// ones are forgotten and counted.
class KeptOutput {
 public:
  static constexpr std::size_t kMostBytes = 16 << 20;

  void add(std::string line);
  bool empty() const noexcept { return lines_.empty(); }
  std::size_t bytes() const noexcept { return bytes_; }
  std::size_t forgotten() const noexcept { return forgotten_; }
  // All lines, each behind `prefix`, with its end.
  std::string text(const std::string& prefix) const;
  void clear();

 private:
  std::deque<std::string> lines_;
  std::size_t bytes_ = 0;
  std::size_t forgotten_ = 0;
};

}  // namespace kiln

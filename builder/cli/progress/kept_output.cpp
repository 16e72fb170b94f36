#include "builder/cli/progress/kept_output.hpp"

#include <utility>

namespace kiln {

void KeptOutput::add(std::string line) {
  bytes_ += line.size() + 1;
  lines_.push_back(std::move(line));
  while (bytes_ > kMostBytes && lines_.size() > 1) {
    bytes_ -= lines_.front().size() + 1;
    lines_.pop_front();
    ++forgotten_;
  }
}

std::string KeptOutput::text(const std::string& prefix) const {
  std::string text;
  text.reserve(bytes_ + lines_.size() * prefix.size());
  for (const std::string& line : lines_) text.append(prefix).append(line).append("\n");
  return text;
}

void KeptOutput::clear() {
  lines_.clear();
  bytes_ = 0;
}

}  // namespace kiln

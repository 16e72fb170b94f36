#include "builder/steps/output_tail.hpp"

#include "base/text.hpp"

namespace kiln {

namespace {
constexpr std::size_t kMostLines = 20;
constexpr std::size_t kLongestLine = 4096;
}  // namespace

void OutputTail::add(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  for (const char c : bytes) {
    if (c == '\n') {
      lines_.push_back(std::move(open_line_));
      open_line_.clear();
      if (lines_.size() > kMostLines) lines_.pop_front();
    } else if (open_line_.size() < kLongestLine) {
      open_line_ += c;
    }
  }
}

std::string OutputTail::text() const {
  const std::lock_guard lock(mutex_);
  std::string text;
  for (const std::string& line : lines_) text += "  | " + printable(line) + "\n";
  if (!open_line_.empty()) text += "  | " + printable(open_line_) + "\n";
  return text;
}

}  // namespace kiln

#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <string_view>

namespace kiln {

// The last lines a command printed, for the message when it fails. Any thread.
class OutputTail {
 public:
  void add(std::string_view bytes);
  // The lines, made printable, each behind "  | ".
  std::string text() const;

 private:
  mutable std::mutex mutex_;
  std::deque<std::string> lines_;
  std::string open_line_;
};

}  // namespace kiln

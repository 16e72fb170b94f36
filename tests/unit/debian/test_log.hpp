#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "base/log.hpp"

namespace kiln {

// Keeps what was said.
class TestLog : public Log {
 public:
  void info(std::string_view message) override { add(message); }
  void warn(std::string_view message) override { add(message); }
  void debug(std::string_view message) override { add(message); }

  std::vector<std::string> messages;

 private:
  void add(std::string_view message) {
    const std::lock_guard guard(mutex_);
    messages.emplace_back(message);
  }
  std::mutex mutex_;
};

}  // namespace kiln

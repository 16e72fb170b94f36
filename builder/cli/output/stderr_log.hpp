#pragma once

#include <string_view>

#include "base/log.hpp"

namespace kiln::cli {

// A Log for what is said where there is no progress display: plain lines on standard error.
class StderrLog : public Log {
 public:
  void info(std::string_view message) override;
  void warn(std::string_view message) override;
  void debug(std::string_view message) override;
};

}  // namespace kiln::cli

#pragma once

#include <string>
#include <string_view>

#include "base/log.hpp"

namespace kiln::cli {

// Lines of a message as a terminal and the log of a CI service may get them, whatever they repeat: printable(), with
// their tabs and line ends, and LogFolds::inert().
std::string visible_lines(std::string_view message);

// A Log for what is said where there is no progress display: plain lines on standard error.
class StderrLog : public Log {
 public:
  void info(std::string_view message) override;
  void warn(std::string_view message) override;
  void debug(std::string_view message) override;
};

}  // namespace kiln::cli

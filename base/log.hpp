#pragma once

#include <string_view>

namespace kiln {

// Where a component reports what the user should know and no return value carries. Handed in, never global;
// safe to use from any thread. Messages follow the style of Error and hold no credentials.
class Log {
 public:
  virtual ~Log() = default;
  virtual void info(std::string_view message) = 0;
  virtual void warn(std::string_view message) = 0;
  virtual void debug(std::string_view message) = 0;
};

}  // namespace kiln

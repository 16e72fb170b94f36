#pragma once

#include "base/clock.hpp"

namespace kiln {

// The times that a build measures and records; a test has one of its own.
class BuildClock {
 public:
  virtual ~BuildClock() = default;
  virtual double monotonic_seconds() const { return kiln::monotonic_seconds(); }
  virtual UnixSeconds now() const { return now_unix_seconds(); }
};

}  // namespace kiln

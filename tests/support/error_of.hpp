#pragma once

#include <string>

#include "base/error.hpp"

namespace kiln {

// The message of the Error that `body` throws, after its category: "machine: ..."; "" where it throws none.
template <class Body>
std::string error_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    constexpr const char* kNames[] = {"build", "usage", "network", "machine", "cancelled"};
    return std::string(kNames[static_cast<int>(error.category())]) + ": " + error.message();
  }
  return {};
}

}  // namespace kiln

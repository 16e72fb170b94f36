#pragma once

#include <doctest/doctest.h>

#include <string>

#include "base/error.hpp"

namespace kiln::dockerfile {

// The message of the Error{usage} that `body` throws; a failed check where it throws none.
template <class Body>
std::string usage_error(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    CHECK(error.category() == Category::usage);
    return error.message();
  }
  FAIL_CHECK("nothing was thrown");
  return "";
}

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace kiln::dockerfile

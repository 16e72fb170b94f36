#pragma once

#include <doctest/doctest.h>

#include <optional>

#include "base/error.hpp"

// Checks that an expression throws kiln's Error of a category, and with this message: the whole of it as a text, or a
// part of it as doctest::Contains("part").
#define CHECK_ERROR(expression, expected_category, expected_message)                                                \
  do {                                                                                                              \
    const std::optional<::kiln::Error> caught = ::kiln::test::caught_error([&] { static_cast<void>(expression); }); \
    CHECK_MESSAGE(caught.has_value(), "no Error from " #expression);                                                \
    if (caught) {                                                                                                   \
      CHECK(caught->category() == (expected_category));                                                             \
      CHECK(doctest::String(caught->message().c_str()) == (expected_message));                                      \
    }                                                                                                               \
  } while (false)

namespace kiln::test {

template <class Body>
std::optional<Error> caught_error(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

}  // namespace kiln::test

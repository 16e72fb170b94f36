#include "base/cancel.hpp"

#include <doctest/doctest.h>

#include "tests/support/check_error.hpp"

using namespace kiln;

TEST_CASE("a part of the work stops with the whole, and the whole goes on when a part is stopped") {
  const CancelToken whole;
  const CancelToken part = whole.child();
  const CancelToken other = whole.child();
  part.cancel(15);
  CHECK(part.is_cancelled());
  CHECK_ERROR(part.check(), Category::cancelled, "stopped on request");
  CHECK_FALSE(whole.is_cancelled());
  CHECK_FALSE(other.is_cancelled());
  whole.cancel(2);
  CHECK(other.signal_number() == 2);
  CHECK(part.signal_number() == 15);
}

TEST_CASE("a part outlives the token that it was made from") {
  CancelToken part;
  {
    const CancelToken whole;
    part = whole.child();
    whole.cancel(2);
  }
  CHECK(part.is_cancelled());
}

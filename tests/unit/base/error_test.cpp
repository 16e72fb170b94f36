#include "base/error.hpp"

#include <doctest/doctest.h>

#include <cerrno>

#include "base/cancel.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

TEST_CASE("each layer adds a clause, the innermost first") {
  try {
    with_context([] { return "while publishing 'b'"; },
                 [] {
                   with_context([] { return "while pushing 'a'"; },
                                []() -> void { throw Error(Category::network, "no route"); });
                 });
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.message() == "no route, while pushing 'a', while publishing 'b'");
    CHECK(std::string(error.what()) == error.message());
    CHECK(error.category() == Category::network);
  }
}

TEST_CASE("with_context returns what the body returns and does not make clauses needlessly") {
  int made = 0;
  CHECK(with_context(
            [&] {
              ++made;
              return "x";
            },
            [] { return 42; }) == 42);
  CHECK(made == 0);
}

TEST_CASE("detail stays apart from the message") {
  Error error(Category::build, "failed");
  error.set_detail("line 1\nline 2");
  CHECK(error.message() == "failed");
  CHECK(error.detail() == "line 1\nline 2");
}

TEST_CASE("errno is put into words, a full disk with what to do") {
  errno = EACCES;
  CHECK_ERROR(throw_errno("open", "/x"), Category::machine, "cannot open '/x': permission denied");
  errno = ENOSPC;
  CHECK_ERROR(throw_errno("write", "/x"), Category::machine,
              "cannot write '/x': no space left on device; free some space or point KILN_HOME at a larger disk");
}

TEST_CASE("copies of a cancel token share one flag") {
  const CancelToken token;
  const CancelToken copy = token;
  CHECK_NOTHROW(copy.check());
  token.cancel(2);
  CHECK(copy.is_cancelled());
  CHECK(copy.signal_number() == 2);
  try {
    copy.check();
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.category() == Category::cancelled);
  }
}

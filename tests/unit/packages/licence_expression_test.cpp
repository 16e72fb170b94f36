#include "builder/packages/licence_expression.hpp"

#include <doctest/doctest.h>

#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

// What stands in the way where everything of the GPL is forbidden.
std::vector<std::string> gpl_in(std::string_view expression) {
  return LicenceExpression::parse(expression).obstacles([](std::string_view licence) {
    return licence.find("GPL") != std::string_view::npos;
  });
}

}  // namespace

TEST_CASE("one alternative that is allowed is enough") {
  CHECK(gpl_in("MIT").empty());
  CHECK(gpl_in("MIT OR GPL-3.0-only").empty());
  CHECK(gpl_in("GPL-3.0-only OR MIT").empty());
  CHECK(gpl_in("GPL-2.0-only OR GPL-3.0-only") == std::vector<std::string>{"GPL-2.0-only", "GPL-3.0-only"});
}

TEST_CASE("of licences that all apply none may be forbidden") {
  CHECK(gpl_in("MIT AND GPL-3.0-only") == std::vector<std::string>{"GPL-3.0-only"});
  CHECK(gpl_in("MIT AND BSD-3-Clause").empty());
  CHECK(gpl_in("(MIT OR GPL-2.0-only) AND (GPL-3.0-only OR AGPL-3.0-only)") ==
        std::vector<std::string>{"GPL-3.0-only", "AGPL-3.0-only"});
}

TEST_CASE("AND binds closer than OR, and an exception belongs to its licence") {
  CHECK(gpl_in("GPL-3.0-only AND MIT OR BSD-3-Clause").empty());
  CHECK(gpl_in("BSD-3-Clause and (GPL-3.0-only or MIT)").empty());
  CHECK(gpl_in("GPL-2.0-only WITH Classpath-exception-2.0") ==
        std::vector<std::string>{"GPL-2.0-only WITH Classpath-exception-2.0"});
}

TEST_CASE("what is no licence expression is refused") {
  for (const char* text : {"", "MIT OR", "AND MIT", "(MIT", "MIT)", "MIT BSD", "MIT WITH", "OR", "()"}) {
    CAPTURE(text);
    CHECK_ERROR(LicenceExpression::parse(text), Category::usage,
                doctest::Contains("expected licences joined by AND and OR"));
  }
  const auto nested = [](std::size_t depth) { return std::string(depth, '(') + "MIT" + std::string(depth, ')'); };
  CHECK_NOTHROW(LicenceExpression::parse(nested(64)));
  CHECK_ERROR(LicenceExpression::parse(nested(65)), Category::usage,
              doctest::Contains("expected licences joined by AND and OR"));
}

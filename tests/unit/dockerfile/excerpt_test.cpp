#include "builder/dockerfile/excerpt.hpp"

#include "tests/unit/dockerfile/support.hpp"

namespace kiln::dockerfile {
namespace {

TEST_CASE("an excerpt marks its lines and shows two around them") {
  CHECK(excerpt("a\nb\nc\nd\ne\nf\n", "Dockerfile", {4, 4}) ==
        "Dockerfile:4\n2 |     b\n3 |     c\n4 | >>> d\n5 |     e\n6 |     f");
  CHECK(excerpt("a\n", "Dockerfile", {1, 9}) == "Dockerfile:1\n1 | >>> a");
}

TEST_CASE("an excerpt shows no credentials of URLs") {
  CHECK(excerpt("ADD http://ada:T0KEN@host/f /\n", "D", {1, 1}) == "D:1\n1 | >>> ADD http://xxxxx:xxxxx@host/f /");
}

TEST_CASE("an excerpt survives any text and any lines") {
  CHECK(has(excerpt("", "D", {0, 0}), "D:1"));
  CHECK(has(excerpt("x", "D", {7, 3}), "1 | >>> x"));
  CHECK_FALSE(has(excerpt("a\x1b[31m", "D", {1, 1}), "\x1b"));
  CHECK(excerpt(std::string(5000, 'a'), "D", {1, 1}).size() < 300);
}

}  // namespace
}  // namespace kiln::dockerfile

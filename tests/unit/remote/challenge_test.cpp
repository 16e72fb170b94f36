#include "registry/remote/challenge.hpp"

#include <doctest/doctest.h>

using namespace kiln;

TEST_CASE("a bearer challenge has realm, service and scope") {
  const auto found =
      parse_challenges({R"(Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:a/b:pull,push")"});
  REQUIRE(found.size() == 1);
  CHECK(found[0].scheme == "bearer");
  CHECK(found[0].parameter("realm") == "https://ghcr.io/token");
  CHECK(found[0].parameter("scope") == "repository:a/b:pull,push");
  CHECK(found[0].parameter("error").empty());
}

TEST_CASE("several challenges stand in one field or in several") {
  for (const std::vector<std::string>& fields :
       {std::vector<std::string>{R"(Basic realm="a, b", Bearer realm="c",service=d)"},
        std::vector<std::string>{R"(basic REALM="a, b")", R"(BEARER realm = "c" , service=d)"}}) {
    const auto found = parse_challenges(fields);
    REQUIRE(found.size() == 2);
    CHECK(found[0].scheme == "basic");
    CHECK(found[0].parameter("realm") == "a, b");
    CHECK(found[1].parameter("realm") == "c");
    CHECK(found[1].parameter("service") == "d");
  }
}

TEST_CASE("quotes may be escaped, and the first of two equal parameters counts") {
  const auto found = parse_challenges({R"(Bearer realm="a\"b",realm="evil")"});
  REQUIRE(found.size() == 1);
  CHECK(found[0].parameter("realm") == "a\"b");
}

TEST_CASE("rubbish is no challenge and ends") {
  for (const char* field :
       {"", ",,,", "=", "\"", "Bearer realm=\"unfinished", "\x01\x02", "a=b", "Negotiate dG9rZW4=="}) {
    CAPTURE(field);
    for (const Challenge& challenge : parse_challenges({field})) CHECK_FALSE(challenge.scheme.empty());
  }
}

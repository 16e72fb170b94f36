#include "registry/remote/url.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

TEST_CASE("urls are taken apart and put together") {
  const Url url = Url::parse("HTTPS://Registry.Example:8443/v2/a?x=1&y=%2F#part");
  CHECK(url.scheme == "https");
  CHECK(url.host == "registry.example");
  CHECK(url.port == 8443);
  CHECK(url.path == "/v2/a");
  CHECK(url.query == "x=1&y=%2F");
  CHECK(url.str() == "https://registry.example:8443/v2/a?x=1&y=%2F");
  CHECK(url.redacted() == "https://registry.example:8443/v2/a");
  CHECK(Url::parse("https://r.example:443").str() == "https://r.example/");
  CHECK(Url::parse("http://[::1]:5000/x").authority() == "[::1]:5000");
}

TEST_CASE("what is no url of a registry is refused, and its secrets are not shown") {
  for (const char* text : {"", "registry.example", "ftp://a/b", "https://", "https:///x", "https://a:0/",
                           "https://a:65536/", "https://a:x/", "https://a b/", "https://a/\r\nHost: b", "https://[::1/",
                           "https://a\\b/", "file:///etc/passwd", "https://a:/"}) {
    CAPTURE(text);
    CHECK_ERROR(Url::parse(text), Category::network, doctest::Contains("url '"));
  }
  try {
    Url::parse("https://user:canary@host/x?sig=canary");
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.message().find("canary") == std::string::npos);
  }
}

TEST_CASE("spaces and letters beyond ASCII are escaped as Go's clients do, and what is escaped stays") {
  const Url url = Url::parse("https://r.example/v2/a b/caf\xc3\xa9/c%20d?note=e f&x=%2F+");
  CHECK(url.str() == "https://r.example/v2/a%20b/caf%C3%A9/c%20d?note=e%20f&x=%2F+");
  CHECK(url.resolve(" /uploads/1 2?state=a b ").str() == "https://r.example/uploads/1%202?state=a%20b");
  CHECK_ERROR(url.resolve("https://r.ex ample/"), Category::network, doctest::Contains("no host name"));
  CHECK_ERROR(url.resolve("/a\tb"), Category::network, doctest::Contains("holds a control character"));
}

TEST_CASE("locations are resolved against the url that named them") {
  const Url base = Url::parse("https://r.example:5000/v2/a/uploads/1?state=x");
  CHECK(base.resolve("/v2/b?c=d").str() == "https://r.example:5000/v2/b?c=d");
  CHECK(base.resolve("2?c=d").str() == "https://r.example:5000/v2/a/uploads/2?c=d");
  CHECK(base.resolve("?c=d").str() == "https://r.example:5000/v2/a/uploads/1?c=d");
  CHECK(base.resolve("//other/x").str() == "https://other/x");
  CHECK(base.resolve("http://other/x").str() == "http://other/x");
  CHECK(base.resolve("../../../../x").str() == "https://r.example:5000/x");
}

TEST_CASE("an origin is scheme, host and port") {
  CHECK(same_origin(Url::parse("https://a/x"), Url::parse("https://A:443/y?z")));
  CHECK_FALSE(same_origin(Url::parse("https://a/"), Url::parse("http://a/")));
  CHECK_FALSE(same_origin(Url::parse("https://a/"), Url::parse("https://a:444/")));
  CHECK_FALSE(same_origin(Url::parse("https://a/"), Url::parse("https://b.a/")));
}

TEST_CASE("parameters are added behind what the query holds") {
  Url url = Url::parse("https://a/x?_state=1");
  url.add_query("digest", "sha256:ab");
  CHECK(url.query == "_state=1&digest=sha256%3Aab");
}

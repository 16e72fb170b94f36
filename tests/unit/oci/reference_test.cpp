#include "registry/oci/reference.hpp"

#include <doctest/doctest.h>

using namespace kiln;
using namespace kiln::oci;

namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

std::string refusal(const std::string& text) {
  try {
    Reference::parse(text);
  } catch (const Error& error) {
    CHECK(error.category() == Category::usage);
    return error.message();
  }
  return {};
}

}  // namespace

TEST_CASE("names are read as docker reads them") {
  struct Case {
    std::string text, registry, repository, tag, digest;
  };
  for (const Case& expected : {
           Case{"busybox", "docker.io", "library/busybox", "", ""},
           {"busybox:1.36", "docker.io", "library/busybox", "1.36", ""},
           {"acme/app", "docker.io", "acme/app", "", ""},
           {"library/busybox", "docker.io", "library/busybox", "", ""},
           {"docker.io/busybox", "docker.io", "library/busybox", "", ""},
           {"docker.io/acme/app", "docker.io", "acme/app", "", ""},
           {"index.docker.io/busybox", "docker.io", "library/busybox", "", ""},
           {"ghcr.io/acme/app:v1", "ghcr.io", "acme/app", "v1", ""},
           {"ghcr.io/acme/deep/er/app", "ghcr.io", "acme/deep/er/app", "", ""},
           {"localhost/app", "localhost", "app", "", ""},
           {"localhost:5000/app", "localhost:5000", "app", "", ""},
           {"localhost:5000/app:tag", "localhost:5000", "app", "tag", ""},
           {"127.0.0.1:5000/a/b", "127.0.0.1:5000", "a/b", "", ""},
           {"[::1]:5000/app:x", "[::1]:5000", "app", "x", ""},
           {"[2001:db8::1]/app", "[2001:db8::1]", "app", "", ""},
           {"Upper/app", "Upper", "app", "", ""},
           {"registry:5000", "docker.io", "library/registry", "5000", ""},
           {"a.b", "docker.io", "library/a.b", "", ""},
           {"app@" + kDigest, "docker.io", "library/app", "", kDigest},
           {"ghcr.io/acme/app:v1@" + kDigest, "ghcr.io", "acme/app", "v1", kDigest},
           {"a__b/c---d.e_f", "docker.io", "a__b/c---d.e_f", "", ""},
           {"app:_x.Y-9", "docker.io", "library/app", "_x.Y-9", ""},
       }) {
    CAPTURE(expected.text);
    const Reference reference = Reference::parse(expected.text);
    CHECK(reference.registry == expected.registry);
    CHECK(reference.repository == expected.repository);
    CHECK(reference.tag.value_or("") == expected.tag);
    CHECK((reference.digest ? reference.digest->str() : "") == expected.digest);
    // The full form names the same image.
    const Reference again = Reference::parse(reference.str());
    CHECK(again.name() == reference.name());
    CHECK(again.manifest_key() == reference.manifest_key());
  }
}

TEST_CASE("a familiar name is read as the same image") {
  for (const auto& [text, familiar] : std::vector<std::pair<std::string, std::string>>{
           {"busybox", "busybox"},
           {"docker.io/library/a.b", "a.b"},
           {"acme/app", "acme/app"},
           {"ghcr.io/acme/app", "ghcr.io/acme/app"},
           {"docker.io/ghcr.io/acme/app", "docker.io/ghcr.io/acme/app"},
           {"docker.io/localhost/app", "docker.io/localhost/app"},
           {"docker.io/library/acme/app", "library/acme/app"},
       }) {
    CAPTURE(text);
    CHECK(Reference::parse(text).familiar_name() == familiar);
    CHECK(Reference::parse(familiar).name() == Reference::parse(text).name());
  }
}

TEST_CASE("what docker refuses is refused") {
  for (const std::string bad : {
           "",
           ":",
           "@",
           "/",
           "app:",
           "app@",
           ":tag",
           "app:tag:tag",
           "app:-x",
           "app:.x",
           "app:a b",
           "app@sha256:abc",
           "-app",
           "app-",
           "app_",
           ".app",
           "a..b",
           "a___b",
           "a._b",
           "a/",
           "/a",
           "a//b",
           "App",
           "acme/App",
           "ghcr.io/",
           "ghcr.io/App",
           "ghcr.io:/app",
           "ghcr.io:99999/app",
           "ghcr.io:x/app",
           "[::1/app",
           "[zz]/app",
           "-x.io/app",
           "x-.io/app",
           "a..io/app",
           "ghcr.io/acme/app:\n",
           "http://ghcr.io/app",
           "a b",
           "\xff",
           "localhost:/app",
           "[]/app",
           "[::1]x/app",
       }) {
    CAPTURE(bad);
    CHECK_FALSE(refusal(bad).empty());
    CHECK_FALSE(Reference::parse_if_valid(bad));
  }
  CHECK_FALSE(refusal("app:" + std::string(129, 'x')).empty());
  CHECK(refusal("app:" + std::string(128, 'x')).empty());
  CHECK_FALSE(refusal("ghcr.io/" + std::string(300, 'x')).empty());
  CHECK_FALSE(refusal("app@sha256:" + std::string(64, 'A')).empty());
}

TEST_CASE("a refusal says what is wrong") {
  CHECK(refusal("ghcr.io/Acme/app") == "image reference 'ghcr.io/Acme/app': a repository must be lower case");
  CHECK(refusal("ada:pw@host:1/x").starts_with("image reference 'xxxxx:xxxxx@host:1/x': "));
  CHECK(refusal("http://ada:pw@host/x").starts_with("image reference 'http://xxxxx:xxxxx@host/x': "));
  CHECK(refusal("app:1@sha256:0").starts_with("image reference 'app:1@sha256:0': "));
  CHECK(refusal("app@x").find("what follows '@' is not a digest") != std::string::npos);
  CHECK(refusal("app:a b").find("'a b' is not a tag") != std::string::npos);
  CHECK(refusal("\x1b[31m").find("\\x1b[31m") != std::string::npos);
}

TEST_CASE("the forms of a reference") {
  const Reference plain = Reference::parse("busybox");
  CHECK(plain.str() == "docker.io/library/busybox:latest");
  CHECK(Reference::parse_if_valid("busybox") == plain);
  CHECK(plain.tag_or_latest() == "latest");
  CHECK(plain.manifest_key() == "latest");
  const Reference pinned = Reference::parse("ghcr.io/acme/app:v1@" + kDigest);
  CHECK(pinned.str() == "ghcr.io/acme/app:v1@" + kDigest);
  CHECK(pinned.manifest_key() == kDigest);
  CHECK(pinned.with_tag("v2").str() == "ghcr.io/acme/app:v2");
  CHECK(pinned.with_digest(sha256_of("x")).str() == "ghcr.io/acme/app@" + sha256_of("x").str());
}

TEST_CASE("loopback registries are known by their names and addresses") {
  for (const char* loopback :
       {"localhost", "localhost:5000", "127.0.0.1", "127.1.2.3:80", "[::1]", "[::1]:5000", "x.localhost:1"}) {
    CAPTURE(loopback);
    CHECK(is_loopback_registry(loopback));
  }
  for (const char* remote : {"ghcr.io", "localhost.evil.com", "127.0.0.1.evil.com", "127.0.0.256", "127.0.0",
                             "10.0.0.1:5000", "[::2]", "[::1].evil.com", "[::1]evil:5000", "notlocalhost"}) {
    CAPTURE(remote);
    CHECK_FALSE(is_loopback_registry(remote));
  }
}

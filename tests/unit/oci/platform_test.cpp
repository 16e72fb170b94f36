#include "registry/oci/platform.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;
using namespace kiln::oci;

TEST_CASE("platforms are normalised as containerd does") {
  struct Case {
    const char *text, *result;
  };
  for (const Case& expected : {Case{"linux/amd64", "linux/amd64"},
                               {"amd64", "linux/amd64"},
                               {"x86_64", "linux/amd64"},
                               {"linux/x86-64", "linux/amd64"},
                               {"linux/amd64/v1", "linux/amd64"},
                               {"linux/amd64/v3", "linux/amd64/v3"},
                               {"aarch64", "linux/arm64"},
                               {"linux/arm64/v8", "linux/arm64"},
                               {"linux/arm64/8", "linux/arm64"},
                               {"arm", "linux/arm/v7"},
                               {"linux/arm/6", "linux/arm/v6"},
                               {"armhf", "linux/arm/v7"},
                               {"armel", "linux/arm/v6"},
                               {"Linux/AMD64", "linux/amd64"},
                               {"i386", "linux/386"},
                               {"linux/riscv64", "linux/riscv64"},
                               {"windows/amd64", "windows/amd64"}}) {
    CAPTURE(expected.text);
    CHECK(Platform::parse(expected.text).str() == expected.result);
    CHECK(Platform::parse(expected.result).str() == expected.result);
  }
}

TEST_CASE("what is no platform is refused with an example") {
  for (const char* bad : {"", "/", "linux/", "/amd64", "linux/amd64/v3/x", "linux//v7", "pdp11", "linux/a b",
                          "linux/amd64\n", "linux/\xc3\xbc"}) {
    CAPTURE(bad);
    CHECK_ERROR(Platform::parse(bad), Category::usage, doctest::Contains("such as linux/amd64"));
  }
}

TEST_CASE("the host is a platform that can be written and read") {
  const Platform host = Platform::host();
  CHECK(host.os == "linux");
  CHECK(Platform::parse(host.str()) == host);
  CHECK(Platform::parse("linux") == host);
}

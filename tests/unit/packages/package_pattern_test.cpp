#include "builder/packages/package_pattern.hpp"

#include <doctest/doctest.h>

#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

StatedPackage stated_package(Ecosystem ecosystem, std::string name, std::string version) {
  StatedPackage package;
  package.ecosystem = ecosystem;
  package.name = std::move(name);
  package.version = std::move(version);
  return package;
}

bool is_matched(std::string_view url, std::string_view versions, const StatedPackage& package,
                const Distribution& distribution = {}) {
  return PackagePattern::parse(url, versions).matches(package, distribution);
}

}  // namespace

TEST_CASE("a package is matched by its type, its name as the ecosystem compares it, and its version") {
  const StatedPackage urllib3 = stated_package(Ecosystem::pypi, "URLLib3", "1.26.5");
  CHECK(is_matched("pkg:pypi/urllib3", "<2.0.7", urllib3));
  CHECK(is_matched("pkg:pypi/urllib3", "", urllib3));
  CHECK_FALSE(is_matched("pkg:pypi/urllib3", ">=2", urllib3));
  CHECK_FALSE(is_matched("pkg:npm/urllib3", "<2.0.7", urllib3));
  CHECK_FALSE(is_matched("pkg:pypi/urllib", "<2.0.7", urllib3));
  CHECK(is_matched("pkg:pypi/typing_extensions", "", stated_package(Ecosystem::pypi, "typing-extensions", "4.0")));
}

TEST_CASE("a version in a package URL is a range of that version alone") {
  const StatedPackage left_pad = stated_package(Ecosystem::npm, "left-pad", "1.3.0");
  CHECK(is_matched("pkg:npm/left-pad@1.3.0", "", left_pad));
  CHECK_FALSE(is_matched("pkg:npm/left-pad@1.3.1", "", left_pad));
  CHECK(is_matched("pkg:deb/debian/libc6@2.36-9%2Bdeb12u4", "",
                   stated_package(Ecosystem::deb, "libc6", "2.36-9+deb12u4")));
  CHECK(PackagePattern::parse("pkg:npm/left-pad@1.3.0", "").url() == "pkg:npm/left-pad");
}

TEST_CASE("scopes of npm and paths of Go are part of the name") {
  const StatedPackage core = stated_package(Ecosystem::npm, "@babel/core", "7.0.0");
  CHECK(is_matched("pkg:npm/%40babel/core", "", core));
  CHECK(is_matched("pkg:npm/@babel/core", "<8", core));
  CHECK(is_matched("pkg:npm/@babel/core@7.0.0", "", core));
  CHECK_FALSE(is_matched("pkg:npm/core", "", core));
  CHECK(is_matched("pkg:golang/golang.org/x/net", "<0.17.0",
                   stated_package(Ecosystem::golang, "golang.org/x/net", "v0.16.0")));
}

TEST_CASE("the vendor of a system's package may be left out, and its source package counts too") {
  StatedPackage libssl = stated_package(Ecosystem::deb, "libssl3", "3.0.11-1~deb12u2");
  libssl.source = "openssl";
  CHECK(is_matched("pkg:deb/debian/libssl3", "<3.0.15", libssl, {"debian", "12"}));
  CHECK(is_matched("pkg:deb/libssl3", "<3.0.15", libssl, {"debian", "12"}));
  CHECK(is_matched("pkg:deb/debian/openssl", "<3.0.15", libssl, {"debian", "12"}));
  CHECK_FALSE(is_matched("pkg:deb/ubuntu/libssl3", "<3.0.15", libssl, {"debian", "12"}));
  libssl.source_version = "3.0.16-1";
  CHECK_FALSE(is_matched("pkg:deb/debian/openssl", "<3.0.15", libssl, {"debian", "12"}));
}

TEST_CASE("what is no pattern of packages is refused") {
  CHECK_ERROR(PackagePattern::parse("urllib3", ""), Category::usage,
              doctest::Contains("package 'urllib3': expected a package URL"));
  CHECK_ERROR(PackagePattern::parse("pkg:pypy/urllib3", ""), Category::usage,
              doctest::Contains("did you mean 'pypi'?"));
  CHECK_ERROR(PackagePattern::parse("pkg:pypi", ""), Category::usage, doctest::Contains("expected a type and a name"));
  CHECK_ERROR(PackagePattern::parse("pkg:pypi/", ""), Category::usage,
              doctest::Contains("expected the name of a package"));
  CHECK_ERROR(PackagePattern::parse("pkg:deb/x?arch=amd64", ""), Category::usage,
              doctest::Contains("expected no qualifiers"));
  CHECK_ERROR(PackagePattern::parse("pkg:pypi/x@1", "<2"), Category::usage,
              doctest::Contains("expected no version beside the range '<2'"));
  CHECK_ERROR(PackagePattern::parse("pkg:pypi/x", "~2"), Category::usage, doctest::Contains("version range '~2'"));
}

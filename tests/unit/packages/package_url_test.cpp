#include "builder/packages/package_url.hpp"

#include <doctest/doctest.h>

using namespace kiln;

TEST_CASE("packages of the system have their distribution in their URL") {
  const Distribution debian{"debian", "12"};
  CHECK(package_url({Ecosystem::deb, "libstdc++6", "12.2.0-14", "amd64", "", "gcc-12", ""}, debian) ==
        "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=amd64&distro=debian-12&upstream=gcc-12");
  CHECK(package_url({Ecosystem::deb, "bsdutils", "1:2.38.1-5+b1", "amd64", "", "util-linux", "2.38.1-5"}, debian) ==
        "pkg:deb/debian/bsdutils@1:2.38.1-5%2Bb1?arch=amd64&distro=debian-12&upstream=util-linux%402.38.1-5");
  CHECK(package_url({Ecosystem::apk, "musl", "1.2.4-r2", "x86_64", "", "", ""}, {"alpine", "3.19.1"}) ==
        "pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64&distro=alpine-3.19.1");
  CHECK(package_url({Ecosystem::deb, "base-files", "12", "", "", "", ""}, {}) == "pkg:deb/debian/base-files@12");
}

TEST_CASE("names of Python are normalised, scopes of npm are namespaces") {
  CHECK(package_url({Ecosystem::pypi, "Zope.Interface_X--y", "5.0+cu121", "", "", "", ""}, {}) ==
        "pkg:pypi/zope-interface-x-y@5.0%2Bcu121");
  CHECK(package_url({Ecosystem::npm, "@babel/core", "7.0.0", "", "", "", ""}, {}) == "pkg:npm/%40babel/core@7.0.0");
  CHECK(package_url({Ecosystem::npm, "left-pad", "1.3.0", "", "", "", ""}, {}) == "pkg:npm/left-pad@1.3.0");
}

TEST_CASE("os-release tells the distribution, quoted or not") {
  const Distribution found = distribution_of("NAME=x\nVERSION_ID=\"3.19.1\"\nID='Alpine'\nID_LIKE=debian\n");
  CHECK(found.id == "alpine");
  CHECK(found.version == "3.19.1");
  CHECK(distribution_of("ID=two words\n").id.empty());
  CHECK(distribution_of("").id.empty());
}

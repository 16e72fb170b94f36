#include "builder/packages/version_schemes.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "builder/packages/version_order.hpp"

using namespace kiln;

namespace {

// Each is older than the next.
void check_ascending(Ecosystem ecosystem, const std::vector<std::string>& versions) {
  for (std::size_t i = 0; i < versions.size(); ++i) {
    for (std::size_t j = 0; j < versions.size(); ++j) {
      CAPTURE(versions[i]);
      CAPTURE(versions[j]);
      const int order = compare_versions(ecosystem, versions[i], versions[j]);
      CHECK((order < 0) == (i < j));
      CHECK((order > 0) == (i > j));
    }
  }
}

}  // namespace

TEST_CASE("Debian versions are ordered as dpkg orders them") {
  check_ascending(Ecosystem::deb,
                  {"1.0~~", "1.0~~a", "1.0~", "1.0", "1.0-1~bpo12+1", "1.0-1", "1.0-1+b1", "1.0-1+deb12u1", "1.0-2",
                   "1.0a", "1.0+dfsg", "1.0.1", "1.9", "1.10", "0:2.0", "1:0.1"});
  CHECK(compare_debian_versions("0:1.0-1", "1.0-1") == 0);
  CHECK(compare_debian_versions("1.0-0", "1.0") == 0);
  CHECK(compare_debian_versions("1.002", "1.2") == 0);
  CHECK(compare_debian_versions("7.88.1-10+deb12u5", "7.88.1-10+deb12u12") < 0);
  CHECK(compare_debian_versions("2.36-9+deb12u4", "2.36-9+deb12u4") == 0);
}

TEST_CASE("Python versions are ordered as PEP 440 orders them") {
  check_ascending(Ecosystem::pypi, {"1.0.dev456",    "1.0a1",         "1.0a2.dev456", "1.0a12.dev456",
                                    "1.0a12",        "1.0b1.dev456",  "1.0b2",        "1.0b2.post345.dev456",
                                    "1.0b2.post345", "1.0rc1.dev456", "1.0rc1",       "1.0",
                                    "1.0+abc.5",     "1.0+abc.7",     "1.0+5",        "1.0.post456.dev34",
                                    "1.0.post456",   "1.0.15",        "1.1.dev1",     "1!0.1"});
  CHECK(compare_python_versions("1.0", "1.0.0") == 0);
  CHECK(compare_python_versions("v1.0-RC.1", "1.0rc1") == 0);
  CHECK(compare_python_versions("1.0-1", "1.0.post1") == 0);
  CHECK(compare_python_versions("1.0alpha", "1.0a0") == 0);
  CHECK(compare_python_versions("2.3.1+cu121", "2.3.1") == 1);
  CHECK_FALSE(compare_python_versions("1.0-final-version", "1.0"));
  CHECK_FALSE(compare_python_versions("", "1.0"));
}

TEST_CASE("semantic versions are ordered by section 11 of their specification") {
  const std::vector<std::string> versions = {"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
                                             "1.0.0-beta",  "1.0.0-beta.2",  "1.0.0-beta.11",
                                             "1.0.0-rc.1",  "1.0.0",         "1.0.1",
                                             "1.2.0",       "1.10.0"};
  check_ascending(Ecosystem::npm, versions);
  check_ascending(Ecosystem::golang, versions);
  CHECK(compare_semantic_versions("v1.2.3", "1.2.3+incompatible") == 0);
  CHECK(compare_semantic_versions("1.2", "1.2.0") == 0);
  CHECK(compare_semantic_versions("v0.0.0-20210101000000-aaaaaaaaaaaa", "v0.0.0-20220101000000-000000000000") == -1);
  CHECK_FALSE(compare_semantic_versions("1.x", "1.0"));
}

TEST_CASE("what is no version by its ecosystem's rules is compared by the common order") {
  CHECK(compare_versions(Ecosystem::pypi, "1.0-final-version", "1.1") < 0);
  CHECK(compare_versions(Ecosystem::apk, "1.2.9-r0", "1.2.10-r0") < 0);
  CHECK(compare_versions(Ecosystem::conda, "2023.7", "2023.11") < 0);
  CHECK(compare_versions(Ecosystem::apk, "1.2.10-r3", "1.2.10-r3") == 0);
}

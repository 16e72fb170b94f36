#include <fmt/format.h>

#include "base/text.hpp"
#include "builder/debian/lock.hpp"
#include "builder/packages/databases.hpp"
#include "builder/packages/licence_expression.hpp"
#include "builder/packages/package_pattern.hpp"
#include "builder/packages/package_url.hpp"
#include "builder/packages/version_order.hpp"
#include "builder/packages/version_schemes.hpp"
#include "tests/fuzz/attempt.hpp"

// Databases of packages as images and mirrors have them, images/kiln.lock, apt's sources, and what policies say of
// packages. The first byte says what the rest is.
namespace kiln::fuzz {

namespace {

using Packages = std::vector<StatedPackage>;

void check_packages(const Packages& packages, Ecosystem ecosystem, const PackageNotes& notes) {
  require(notes.all().size() <= PackageNotes::kMaxNotes, "more notes than are kept");
  for (const StatedPackage& package : packages) {
    require(package.ecosystem == ecosystem, "a package of another ecosystem");
    require(is_plain_word(package.name) && is_plain_word(package.version), "a package's words are none");
    require(package_url(package, {"debian", "12"}).starts_with("pkg:"), "a package has no URL");
    require(compare_versions(ecosystem, package.version, package.version) == 0, "a version is not itself");
  }
}

template <class Found>
Packages stated(const std::vector<Found>& found) {
  Packages packages;
  for (const Found& one : found) packages.push_back(one.stated);
  return packages;
}

void take_database(char kind, std::string_view text) {
  PackageNotes notes;
  switch (kind) {
    case 'd':
      check_packages(read_dpkg_status(text, "input", notes), Ecosystem::deb, notes);
      return;
    case 'a':
      check_packages(stated(read_apk_installed(text, "input", notes)), Ecosystem::apk, notes);
      return;
    case 'c':
      check_packages(stated(read_conda_package(text, "input", notes)), Ecosystem::conda, notes);
      return;
    case 'p':
      check_packages(read_python_metadata(text, "input", notes), Ecosystem::pypi, notes);
      return;
    default:
      check_packages(read_npm_manifest(text, "input", notes), Ecosystem::npm, notes);
  }
}

int sign_of(int order) { return (order > 0) - (order < 0); }

// Whether it is a version by the rules of its ecosystem; where there are none, every text is.
bool is_version(Ecosystem ecosystem, std::string_view text) {
  if (ecosystem == Ecosystem::pypi) return compare_python_versions(text, text).has_value();
  if (ecosystem == Ecosystem::npm || ecosystem == Ecosystem::golang)
    return compare_semantic_versions(text, text).has_value();
  return true;
}

// Versions on three lines. What is a version and what is none are compared by another rule than two of a kind.
void take_versions(std::string_view text) {
  const auto lines = split(text, '\n');
  if (lines.size() < 3) return;
  for (const Ecosystem ecosystem : kEcosystems) {
    const auto order = [&](std::size_t a, std::size_t b) {
      return sign_of(compare_versions(ecosystem, lines[a], lines[b]));
    };
    for (std::size_t i = 0; i < 3; ++i) require(order(i, i) == 0, "a version is not itself");
    const int ab = order(0, 1), bc = order(1, 2), ac = order(0, 2);
    require(order(1, 0) == -ab && order(2, 1) == -bc && order(2, 0) == -ac,
            "an order that depends on who is asked first");
    const bool is_one = is_version(ecosystem, lines[0]);
    if (is_one != is_version(ecosystem, lines[1]) || is_one != is_version(ecosystem, lines[2])) continue;
    if (ab <= 0 && bc <= 0) require(ac <= 0 && (ac < 0 || (ab == 0 && bc == 0)), "an order that goes round");
    if (ab >= 0 && bc >= 0) require(ac >= 0 && (ac > 0 || (ab == 0 && bc == 0)), "an order that goes round");
  }
}

void take_policy_words(std::string_view text) {
  const std::size_t at = std::min(text.find('\n'), text.size());
  const std::string_view rest = text.substr(std::min(at + 1, text.size()));
  may_refuse(Category::usage, [&] {
    const PackagePattern pattern = PackagePattern::parse(text.substr(0, at), rest);
    pattern.matches({Ecosystem::deb, "bash", "5.2", "amd64", "", "", ""}, {"debian", "12"});
    pattern.versions().way_out();
  });
  may_refuse(Category::usage, [&] {
    const LicenceExpression licence = LicenceExpression::parse(text);
    require(licence.obstacles([](std::string_view) { return false; }).empty(), "an obstacle that nobody forbids");
    require(!licence.obstacles([](std::string_view) { return true; }).empty(), "no obstacle where all is forbidden");
  });
}

std::string sample_lock() {
  Lock lock;
  DebianLock entry;
  entry.spec.architecture = "amd64";
  entry.spec.include = {"python3"};
  entry.epoch = 1700000000;
  entry.packages = {
      {"bash", "5.2-1", "amd64", 1234, std::string(64, 'a'), "debian/pool/main/b/bash/bash_5.2-1_amd64.deb"}};
  lock.set_debian("base", entry);
  lock.set_image("docker.io/library/python:3", "linux/amd64", "sha256:" + std::string(64, 'c'));
  return lock.to_text();
}

}  // namespace

void fuzz_one(std::string_view input) {
  if (input.empty()) return;
  const std::string_view text = input.substr(1);
  switch (input[0]) {
    case 'l':
      is_read_as_written(
          Category::usage, text, [](std::string_view from) { return Lock::parse(from, "kiln.lock"); },
          [](const Lock& lock) { return lock.to_text(); });
      return;
    case 's':
      for (const char* name : {"a.list", "a.sources"}) archives_from_sources({}, {{name, std::string(text)}});
      return;
    case 'f':
      read_dpkg_list(text);
      read_md5sums(text);
      read_python_record(text);
      read_debian_copyright(text);
      distribution_of(text);
      return;
    case 'v':
      return take_versions(text);
    case 'w':
      return take_policy_words(text);
    default:
      return take_database(input[0], text);
  }
}

std::vector<std::string> seeds() {
  return {"l" + sample_lock(),
          "l{\"schema_version\":1,\"debian\":{},\"images\":{}}",
          "sdeb [arch=amd64 signed-by=/k] http://deb.debian.org/debian bookworm main contrib # c\n",
          "sTypes: deb deb-src\nURIs: http://deb.debian.org/debian\nSuites: bookworm bookworm-updates\nComponents: "
          "main\nEnabled: yes\n\n",
          "dPackage: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc (2.36-9)\nVersion: "
          "2.36-9+deb12u4\nDescription: x\n y\n\n"
          "Package: b\nStatus: deinstall ok config-files\nVersion: 1\n",
          "aC:Q1x=\nP:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\no:musl\nF:lib\nR:ld-musl.so\nM:0:0:755\n\nP:b\nV:1\n",
          "c{\"name\":\"numpy\",\"version\":\"1.26\",\"build\":\"py_0\",\"license\":\"BSD\",\"files\":[\"a/"
          "b\"],\"subdir\":\"linux-64\"}",
          "pMetadata-Version: 2.1\nName: Requests\nVersion: 2.31.0\nLicense: Apache 2.0\nClassifier: License :: OSI "
          "Approved :: MIT License\n\nbody",
          "n{\"name\":\"@a/"
          "left-pad\",\"version\":\"1.3.0\",\"license\":{\"type\":\"MIT\"},\"licenses\":[{\"type\":\"X\"}]}",
          "frequests/__init__.py,sha256=abc,12\n\"a,\"\"b\",,\n/usr/x\n",
          "fFormat: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: GPL-2+\n "
          "text\n",
          "fID=debian\nVERSION_ID=\"12\"\n",
          "v1:2.0~rc1-1\n2.0-1+b1\n2.0\n",
          "v1.0.0-rc.1+x\nv1.0\n1!2.0.post1.dev2+cu121\n",
          "v1.0a\n1.0.0b2\n1.0-r1\n",
          "wpkg:deb/debian/openssl@3.0\n",
          "wpkg:pypi/urllib3\n>=1.0,<1.4.2 | =2.0",
          "w(MIT OR Apache-2.0) AND GPL-2.0-only WITH Classpath-exception-2.0"};
}

std::vector<std::string> words() {
  return {"Package: ",
          "Status: install ok installed\n",
          "Version: ",
          "Source: ",
          "Architecture: ",
          "\n\n",
          "\n ",
          "P:",
          "V:",
          "F:",
          "R:",
          "Name: ",
          "License: ",
          "License-Expression: ",
          "\"version\":",
          "\"name\":",
          "\"license\":",
          "\"files\":[",
          "pkg:",
          "deb/",
          "%2B",
          "@",
          "?arch=",
          "<=",
          ">=",
          "!=",
          " | ",
          ",",
          "*",
          " AND ",
          " OR ",
          " WITH ",
          "(",
          ")",
          "~",
          "-",
          "+",
          ".",
          "1!",
          "1:",
          ".dev",
          "rc",
          "post",
          "alpha",
          "v",
          "00",
          "99999999999999999999",
          "\"schema_version\":1",
          "\"packages\":[{",
          "\"sha256\":",
          "\"epoch\":",
          "debian/pool/",
          "sha256:",
          "Types: deb\n",
          "URIs: ",
          "Suites: ",
          "Components: main\n",
          "deb [",
          "]",
          "#",
          "\r",
          "\"\"",
          "-updates",
          "debian-security"};
}

}  // namespace kiln::fuzz

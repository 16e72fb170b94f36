#include "builder/debian/debian_spec.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

DebianSpec valid() {
  DebianSpec spec;
  spec.architecture = "amd64";
  spec.include = {"python3-venv", "python3"};
  return spec;
}

std::string message_of(DebianSpec spec) {
  try {
    spec.normalize();
  } catch (const Error& error) {
    CHECK(error.category() == Category::usage);
    return error.message();
  }
  return "";
}

}  // namespace

TEST_CASE("normalize sorts, uniques and drops trailing slashes") {
  DebianSpec spec = valid();
  spec.include = {"b-pkg", "a-pkg", "b-pkg"};
  spec.components = {"non-free", "main", "main"};
  spec.mirror = "http://mirror.example/debian//";
  spec.normalize();
  CHECK(spec.include == std::vector<std::string>{"a-pkg", "b-pkg"});
  CHECK(spec.components == std::vector<std::string>{"main", "non-free"});
  CHECK(spec.mirror == "http://mirror.example/debian");
}

TEST_CASE("words that could reach apt's configuration or command line are refused") {
  for (const char* name :
       {"", "a", "-oDir=/", "python3=1", "python3:i386", "a b", "x\ny", "?essential", "Python", "../x"}) {
    DebianSpec spec = valid();
    spec.include = {name};
    CHECK_MESSAGE(!message_of(spec).empty(), "accepted package: " << name);
  }
  for (const char* suite : {"", "-x", "bookworm main", "bookworm\nTypes: deb", "../x", "book/worm"}) {
    DebianSpec spec = valid();
    spec.suite = suite;
    CHECK_MESSAGE(!message_of(spec).empty(), "accepted suite: " << suite);
  }
  for (const char* architecture : {"", "AMD64", "amd64;x", "-a"}) {
    DebianSpec spec = valid();
    spec.architecture = architecture;
    CHECK_MESSAGE(!message_of(spec).empty(), "accepted architecture: " << architecture);
  }
  for (const char* mirror : {"ftp://x/debian", "mirror.example", "http://x/ y", "http://x/\nTypes: deb",
                             "http://x/?t=1", "http://x/\"", "exec:///bin/sh"}) {
    DebianSpec spec = valid();
    spec.mirror = mirror;
    CHECK_MESSAGE(!message_of(spec).empty(), "accepted mirror: " << mirror);
  }
}

TEST_CASE("a mirror's credentials are refused and not repeated") {
  DebianSpec spec = valid();
  spec.mirror = "http://user:hunter2@mirror.example/debian";
  const std::string message = message_of(spec);
  CHECK(message.find("auth.conf") != std::string::npos);
  CHECK(message.find("hunter2") == std::string::npos);
  spec.mirror = "http://mirror.example:8080/debian";
  CHECK(message_of(spec).empty());
}

TEST_CASE("unknown variants and components are answered with the nearest") {
  DebianSpec spec = valid();
  spec.variant = "minbse";
  CHECK(message_of(spec).find("'minbase'") != std::string::npos);
  spec = valid();
  spec.components = {"mian"};
  CHECK(message_of(spec).find("unknown component 'mian'") != std::string::npos);
}

TEST_CASE("a spec's digest ignores order and mirrors and nothing else") {
  const std::string digest = spec_digest(valid());
  CHECK(digest == "sha256:75b543452369d173e0cf45a2ce3548c9e851a4df235420b4b8e8be6ccc78aaa5");
  DebianSpec other = valid();
  other.include = {"python3", "python3-venv", "python3"};
  other.mirror = "http://elsewhere.example/debian";
  CHECK(spec_digest(other) == digest);
  const auto changed = [&](auto change) {
    DebianSpec spec = valid();
    change(spec);
    return spec_digest(spec) != digest;
  };
  CHECK(changed([](DebianSpec& s) { s.suite = "trixie"; }));
  CHECK(changed([](DebianSpec& s) { s.variant = "apt"; }));
  CHECK(changed([](DebianSpec& s) { s.architecture = "arm64"; }));
  CHECK(changed([](DebianSpec& s) { s.include.push_back("curl"); }));
  CHECK(changed([](DebianSpec& s) { s.components.push_back("contrib"); }));
}

TEST_CASE("OCI architectures have Debian's names") {
  CHECK(debian_architecture("amd64") == "amd64");
  CHECK(debian_architecture("arm64", "v8") == "arm64");
  CHECK(debian_architecture("arm", "v7") == "armhf");
  CHECK(debian_architecture("386") == "i386");
  CHECK_ERROR(debian_architecture("wasm"), Category::usage,
              doctest::Contains("Debian has no architecture for 'wasm'; known: "));
}

TEST_CASE("without sources of Debian the archives are deb.debian.org") {
  const DebianArchives archives = archives_from_sources(valid(), {{"x.list", "deb http://apt.example/ stable main\n"}});
  CHECK(archives.debian == "http://deb.debian.org/debian");
  CHECK(archives.security == "http://deb.debian.org/debian-security");
}

TEST_CASE("mirrors are found in deb822 sources") {
  const DebianArchives archives = archives_from_sources(valid(), {{"debian.sources",
                                                                   "# a comment\n"
                                                                   "Types: deb deb-src\n"
                                                                   "URIs: https://mirror.corp.example/debian/\n"
                                                                   "Suites: bookworm\n bookworm-updates\n"
                                                                   "Components: main contrib\n"
                                                                   "\n"
                                                                   "types: deb\n"
                                                                   "uris: https://mirror.corp.example/debian-security\n"
                                                                   "suites: bookworm-security\n"
                                                                   "components: main\n"}});
  CHECK(archives.debian == "https://mirror.corp.example/debian");
  CHECK(archives.security == "https://mirror.corp.example/debian-security");
}

TEST_CASE("mirrors are found in one-line sources, with options and comments") {
  const DebianArchives archives = archives_from_sources(
      valid(), {{"sources.list",
                 "# deb http://old.example/debian bookworm-updates main\n"
                 "deb-src http://src.example/debian bookworm-updates main\n"
                 "deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://ftp.de.debian.org/debian "
                 "bookworm main # near\n"
                 "deb http://near.example/debian bookworm-updates main\n"
                 "deb\thttp://sec.example/debian-security\tbookworm-security\tmain\n"}});
  CHECK(archives.debian == "http://ftp.de.debian.org/debian");
  CHECK(archives.security == "http://sec.example/debian-security");
}

TEST_CASE("other people's repositories, disabled stanzas and other schemes are not mirrors of Debian") {
  const DebianArchives archives = archives_from_sources(
      valid(), {{"vpn.list", "deb https://pkgs.vpn.example/stable/debian bookworm main\n"},
                {"docker.list", "deb https://download.docker.example/linux/debian bookworm stable\n"},
                {"ubuntu.list", "deb http://archive.ubuntu.example/ubuntu jammy-updates main\n"},
                {"cd.list", "deb cdrom:[Debian]/debian bookworm-updates main\n"},
                {"off.sources",
                 "Enabled: no\nTypes: deb\nURIs: http://off.example/debian\nSuites: "
                 "bookworm-updates\nComponents: main\n"},
                {"broken.sources", "URIs\n: x\n  y\nTypes deb"}});
  CHECK(archives.debian == "http://deb.debian.org/debian");
}

TEST_CASE("the spec's mirrors come before the machine's") {
  DebianSpec spec = valid();
  spec.mirror = "http://mine.example/debian";
  const DebianArchives archives =
      archives_from_sources(spec, {{"sources.list", "deb http://near.example/debian bookworm-updates main\n"}});
  CHECK(archives.debian == "http://mine.example/debian");
}

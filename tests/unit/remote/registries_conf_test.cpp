#include "registry/remote/registries_conf.hpp"

#include <fstream>

#include "tests/support/check_error.hpp"
#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {
oci::Reference image_ref(const std::string& text) { return oci::Reference::parse(text); }
std::string shown(const std::vector<PullPlace>& places) {
  std::string result;
  for (const PullPlace& place : places) {
    result += place.endpoint.authority + "/" + place.repository +
              (place.endpoint.security == Security::insecure ? "!" : "") + (place.is_mirror ? "~ " : " ");
  }
  return result;
}
std::string refusal(const std::string& text) {
  try {
    RegistriesConf::parse(text, "registries.conf");
  } catch (const Error& error) {
    CHECK(error.category() == Category::usage);
    return error.message();
  }
  FAIL("accepted");
  return {};
}
}  // namespace

TEST_CASE("without a file every registry is asked itself") {
  const RegistriesConf conf;
  CHECK(shown(conf.pull_places(image_ref("busybox"))) == "registry-1.docker.io/library/busybox ");
  CHECK(shown(conf.pull_places(image_ref("ghcr.io/acme/app"))) == "ghcr.io/acme/app ");
}

TEST_CASE("mirrors come first, with their paths") {
  const auto conf = RegistriesConf::parse(R"(
unqualified-search-registries = ["docker.io"]
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "mirror.example:5000/hub"
insecure = true
[[registry.mirror]]
location = "digests.example"
pull-from-mirror = "digest-only"
)",
                                          "x");
  CHECK(shown(conf.pull_places(image_ref("busybox"))) ==
        "mirror.example:5000/hub/library/busybox!~ registry-1.docker.io/library/busybox ");
  const auto by_digest = image_ref("busybox@" + oci::sha256_of("x").str());
  CHECK(conf.pull_places(by_digest).size() == 3);
  CHECK(conf.push_place(image_ref("busybox")).endpoint.authority == "registry-1.docker.io");
  CHECK_FALSE(conf.is_insecure_host("mirror.example:5000"));
  CHECK_FALSE(conf.is_insecure_host("digests.example"));
  const auto whole = RegistriesConf::parse("[[registry]]\nlocation = \"a.example:5000\"\ninsecure = true\n", "x");
  CHECK(whole.is_insecure_host("a.example:5000"));
  CHECK_FALSE(whole.is_insecure_host("a.example"));
}

TEST_CASE("the longest prefix counts, and rewrites") {
  const auto conf = RegistriesConf::parse(R"(
[[registry]]
prefix = "r.example"
location = "a.example"
[[registry]]
prefix = "r.example/acme"
location = "b.example/x"
insecure = true
[[registry]]
prefix = "*.wild.example"
insecure = true
[[registry]]
location = "bad.example"
blocked = true
)",
                                          "x");
  CHECK(shown(conf.pull_places(image_ref("r.example/other/app"))) == "a.example/other/app ");
  CHECK(shown(conf.pull_places(image_ref("r.example/acme/app"))) == "b.example/x/app! ");
  CHECK(shown(conf.pull_places(image_ref("r.example/acmeother/app"))) == "a.example/acmeother/app ");
  CHECK(shown(conf.pull_places(image_ref("sub.wild.example/app"))) == "sub.wild.example/app! ");
  CHECK(shown(conf.pull_places(image_ref("wild.example/app"))) == "wild.example/app ");
  CHECK_ERROR(conf.pull_places(image_ref("bad.example/app")), Category::network,
              doctest::Contains("is blocked by registries.conf"));
  CHECK_ERROR(conf.push_place(image_ref("bad.example/app")), Category::network,
              doctest::Contains("is blocked by registries.conf"));
}

TEST_CASE("later files win") {
  auto conf = RegistriesConf::parse("[[registry]]\nlocation = \"a.example\"\nblocked = true\n", "x");
  conf.merge(RegistriesConf::parse("[[registry]]\nlocation = \"a.example\"\n", "y"));
  CHECK(shown(conf.pull_places(image_ref("a.example/app"))) == "a.example/app ");
}

TEST_CASE("what is no registries.conf is refused with its line") {
  CHECK(refusal("\n[[registry]]\nlocation = 5\n").find("line 3") != std::string::npos);
  CHECK(refusal("[[registry]]\n").find("needs 'location'") != std::string::npos);
  CHECK(refusal("[registries.search]\nregistries = []\n").find("version 1") != std::string::npos);
  CHECK(refusal("[[registry\n").find("line 1") != std::string::npos);
  CHECK(refusal("[[registry]]\nlocation = \"a\"\n[[registry.mirror]]\nlocation = \"b\"\npull-from-mirror = \"x\"\n")
            .find("known: all") != std::string::npos);
}

TEST_CASE("certificates are found by host and port, a certificate needs its key") {
  TempDir folder;
  CHECK(find_certificates({folder.path()}, "r.example").authorities.empty());
  const fs::path own = folder.path() / "r.example:5000";
  fs::create_directories(own);
  std::ofstream(own / "a.crt") << "one";
  std::ofstream(own / "b.crt") << "two";
  std::ofstream(own / "c.cert") << "cert";
  CHECK_ERROR(find_certificates({folder.path()}, "r.example:5000"), Category::machine, doctest::Contains("has no key"));
  std::ofstream(own / "c.key") << "key";
  const HostCertificates found = find_certificates({folder.path()}, "r.example:5000");
  CHECK(found.authorities == std::vector<std::string>{"one", "two"});
  CHECK(found.client_key == (own / "c.key").native());
  CHECK(find_certificates({folder.path()}, "../r.example:5000").authorities.empty());
}

TEST_CASE("mirrors are asked in order, and what they lack is asked of the registry") {
  Remote remote;
  const oci::Descriptor image = remote.remote_image("acme/app", "1", {"layer"});
  HostileRegistry empty;
  HostileRegistry broken;
  broken.script([](const SeenRequest&, int) { return Reaction{Reaction::Kind::answer, {500, {}, ""}, 0}; });
  remote.settings.registries = RegistriesConf::parse(
      "[[registry]]\nlocation = \"" + remote.registry.authority() + "\"\n[[registry.mirror]]\nlocation = \"" +
          broken.authority() + "\"\n[[registry.mirror]]\nlocation = \"" + empty.authority() + "/mirror\"\n",
      "x");
  const PulledImage pulled = pull_image(remote.session(), remote.store, remote.reference("acme/app:1"),
                                        oci::Platform::parse("linux/amd64"), PullWhat::layers);
  CHECK(pulled.manifest.digest == image.digest);
  CHECK(pulled.source.endpoint.authority == remote.registry.authority());
  CHECK(empty.count("GET", "/v2/mirror/acme/app/manifests/1") == 1);
  CHECK(remote.log.text().find("mirror '" + broken.authority()) != std::string::npos);
}

TEST_CASE("letters and control characters that have no place in the file are refused by their line") {
  CHECK(refusal("# caf\xc3\xa9\n\xcd\x8e = 1\n") == "'registries.conf', line 2: the byte cd has no place here");
  CHECK(refusal(std::string("[\0\4", 3)) == "'registries.conf', line 1: the byte 00 has no place here");
  CHECK(refusal("a = \"\x7f\"\n") == "'registries.conf', line 1: the byte 7f has no place here");
  CHECK(refusal("a =1\"b\xef\xbb\xbf\n") == "'registries.conf', line 1: the byte ef has no place here");
  CHECK(refusal("a = \"\"\"\n# \"\"\" \xc3\xa9\n") ==
        "'registries.conf', line 1: a string of several lines has no place here");
  CHECK(refusal("a = \"x\\\"\xc3\xa9\" \xc3\xa9\n") == "'registries.conf', line 1: the byte c3 has no place here");
  CHECK(refusal("x = 'caf\xc3\xa9'\n") == "'registries.conf', line 1: the byte c3 has no place here");
  CHECK_NOTHROW(RegistriesConf::parse("# caf\xc3\xa9\nshort-name-mode = \"permissive\" # \xcd\x8e\n\tx = ''\r\n", "x"));
}

TEST_CASE("a header that names no table is refused, and one in brackets, spaces and quotes is not") {
  for (const std::string text : {"[= ['a']\n", "[[ .b]]\n", "\t[#\n", "[", "[[]]\n", "[\r\n"}) {
    CAPTURE(text);
    CHECK(refusal(text) == "'registries.conf', line 1: expected the name of a table behind '['");
  }
  CHECK(refusal("a = 1\n[[[registry]]]\n") == "'registries.conf', line 2: expected the name of a table behind '['");
  CHECK_NOTHROW(RegistriesConf::parse(" [[ 'registry' ]]\nlocation = 'a.b'\n[\"x\"]\n[_y]\n", "registries.conf"));
}

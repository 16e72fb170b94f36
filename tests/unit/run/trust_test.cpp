#include "builder/run/trust.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

namespace {

constexpr char kPem[] = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

struct Machine {
  TempDir root;
  TrustPlaces places;
  Machine() {
    places.additions = root.path() / "additions";
    places.bundles = {root.path() / "missing.crt", root.path() / "bundle.crt"};
    make_directories(places.additions);
    write_file_atomically(root.path() / "bundle.crt", kPem);
  }
  void add_certificate(const std::string& name) {
    make_directories((places.additions / name).parent_path());
    write_file_atomically(places.additions / name, kPem);
  }
};

bool holds(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

TEST_CASE("a machine whose administrator added nothing gives no trust") {
  Machine machine;
  CHECK_FALSE(find_build_trust("", machine.places).in_use());
  machine.add_certificate("readme.txt");
  CHECK_FALSE(find_build_trust("", machine.places).in_use());
}

TEST_CASE("added certificates bring the host's bundle, and the reason says how many") {
  Machine machine;
  machine.add_certificate("a.crt");
  machine.add_certificate("company/b.crt");
  const BuildTrust trust = find_build_trust("", machine.places);
  CHECK(trust.bundle == fs::canonical(machine.root.path() / "bundle.crt"));
  CHECK(trust.reason.find("holds 2 certificates") != std::string::npos);
  CHECK_FALSE(find_build_trust("none", machine.places).in_use());
}

TEST_CASE("a bundle can be asked for by name") {
  Machine machine;
  CHECK(find_build_trust("host", machine.places).in_use());
  const fs::path own = machine.root.path() / "own.pem";
  write_file_atomically(own, kPem);
  CHECK(find_build_trust(own.native(), machine.places).bundle == fs::canonical(own));
}

TEST_CASE("a bundle that cannot be is refused") {
  Machine machine;
  const fs::path empty = machine.root.path() / "empty.pem";
  write_file_atomically(empty, "nothing");
  CHECK(error_of([&] { find_build_trust(empty.native(), machine.places); }).starts_with("usage: CA bundle '"));
  CHECK(error_of([&] { find_build_trust("/no/such/file", machine.places); }) ==
        "usage: CA bundle '/no/such/file': expected a file, \"host\" or \"none\"; no such file");
  machine.places.bundles.clear();
  CHECK(error_of([&] { find_build_trust("host", machine.places); }) ==
        "usage: CA bundle 'host': this machine has none; install ca-certificates or name a file");
}

TEST_CASE("programs are pointed at the bundle unless the step does it itself") {
  const BuildTrust trust{"/host/bundle.crt", "test"};
  const auto all = trust_environment(trust, {});
  CHECK(all.size() == 7);
  CHECK(holds(all, "PIP_CERT=/run/kiln/trust/ca-certificates.crt"));
  CHECK(holds(all, "APT_CONFIG=/run/kiln/trust/apt.conf"));
  const auto some = trust_environment(trust, {"PIP_CERT=/mine", "PIP_CERTX=1"});
  CHECK(some.size() == 6);
  CHECK_FALSE(holds(some, "PIP_CERT=/run/kiln/trust/ca-certificates.crt"));
  CHECK(trust_environment({}, {}).empty());
}

TEST_CASE("proxies travel in both spellings, each with its own value where it has one") {
  const std::map<std::string, std::string> env = {
      {"http_proxy", "http://a"}, {"HTTPS_PROXY", "http://b"}, {"no_proxy", "x"}, {"NO_PROXY", "y"}};
  const auto proxies = host_proxies([&](const std::string& name) -> std::optional<std::string> {
    const auto it = env.find(name);
    return it == env.end() ? std::nullopt : std::optional(it->second);
  });
  CHECK(proxies == std::vector<std::string>{"http_proxy=http://a", "HTTP_PROXY=http://a", "https_proxy=http://b",
                                            "HTTPS_PROXY=http://b", "no_proxy=x", "NO_PROXY=y"});
}

TEST_CASE("what a step sets wins over what the machine adds") {
  CHECK(merged_environment({"A=1", "B=2"}, {"B=3", "C=4"}) == std::vector<std::string>{"A=1", "B=2", "C=4"});
}

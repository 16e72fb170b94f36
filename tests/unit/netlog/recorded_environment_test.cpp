#include "builder/netlog/recorded_environment.hpp"

#include <algorithm>

#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

bool has(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

}  // namespace

TEST_CASE("programs are told of the proxy, its password and its authority") {
  const RecordedEnvironment told = recorded_environment("/run/x", "PEM", 9431, "");
  CHECK(has(told.variables, "https_proxy=http://127.0.0.1:9431"));
  CHECK(has(told.variables, "SSL_CERT_FILE=/run/x/ca-certificates.crt"));
  CHECK(has(told.variables, "APT_CONFIG=/run/x/apt.conf"));
  REQUIRE(told.files.size() == 3);
  CHECK(told.files[0].text == "PEM");
  CHECK(has(recorded_environment("/run/x", "", 1, "word").variables, "HTTP_PROXY=http://kiln:word@127.0.0.1:1"));
}

TEST_CASE("what the build sets itself is said where it leads around the proxy") {
  const RecordedEnvironment told = recorded_environment("/run/x", "PEM", 9431, "");
  CHECK(defeated_variables(told, {"PATH=/bin", "NO_PROXY=internal", "https_proxy=http://127.0.0.1:9431"}).empty());
  const auto notes = defeated_variables(told, {"HTTPS_PROXY=http://other:1", "PIP_CERT=/a.pem"});
  REQUIRE(notes.size() == 2);
  CHECK(notes[0] == "HTTPS_PROXY is set by the build itself and kept: what follows it goes around the recording proxy");
  CHECK(notes[1] ==
        "PIP_CERT is set by the build itself and kept: programs that read it may refuse the certificates of the "
        "recording proxy");
}

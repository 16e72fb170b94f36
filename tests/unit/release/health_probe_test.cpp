#include "builder/release/health_probe.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/temp_dir.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

TEST_CASE("a command is asked again until it succeeds") {
  TempDir folder;
  const std::string file = (folder.path() / "asked").native();
  const HealthCheck check{HealthCheck::Kind::command, "echo x >>" + file + "; test $(wc -l <" + file + ") -ge 2",
                          60'000};
  CHECK_FALSE(probe_health(check, CancelToken()));
  CHECK(read_file(file) == "x\nx\n");
}

TEST_CASE("a command that never succeeds says how it ended last") {
  const auto said = probe_health({HealthCheck::Kind::command, "echo no way >&2; exit 3", 100}, CancelToken());
  REQUIRE(said);
  CHECK(*said == "the command ended with exit code 3: no way");
}

TEST_CASE("a command that hangs is ended when the time is over") {
  const auto said = probe_health({HealthCheck::Kind::command, "sleep 600", 100}, CancelToken());
  REQUIRE(said);
  CHECK(said->find("no answer within") != std::string::npos);
}

TEST_CASE("a URL where nobody listens is unhealthy, and text that is none is refused") {
  CHECK(probe_health({HealthCheck::Kind::url, "http://127.0.0.1:1/health", 100}, CancelToken()));
  CHECK_ERROR(probe_health({HealthCheck::Kind::url, "nowhere", 100}, CancelToken()), Category::network,
              "url 'nowhere': no http or https url");
}

TEST_CASE("a request to stop ends the asking") {
  const CancelToken cancel;
  cancel.cancel(15);
  CHECK_ERROR(probe_health({HealthCheck::Kind::command, "sleep 600", 60'000}, cancel), Category::cancelled,
              "stopped on request");
}

#include "builder/debian/apt_root.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "base/percent.hpp"
#include "base/temp_dir.hpp"
#include "base/text.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/silent_server.hpp"

using namespace kiln;

TEST_CASE("percent encoding goes there and back, and what is no escape stays") {
  const std::string path = "debian/pool/main/u/usrmerge/usrmerge_37~deb12u1+x_all.deb";
  CHECK(percent_encode(path) == "debian/pool/main/u/usrmerge/usrmerge_37%7edeb12u1%2bx_all.deb");
  CHECK(percent_decoded(percent_encode(path)) == path);
  CHECK(percent_decoded("1%3a2.0%") == "1:2.0%");
  CHECK(percent_decoded("%zz%4") == "%zz%4");
  CHECK(percent_decoded("%41") == "A");
}

TEST_CASE("messages of apt keep errors and lose the note about the sandbox") {
  CHECK(apt_messages("W: Download is performed unsandboxed as root as file 'x'\n\nE: http://a:b@h/x  404\n") ==
        "E: http://xxxxx:xxxxx@h/x  404");
}

TEST_CASE("a folder that apt's configuration cannot name is refused") {
  const TempDir folder;
  DebianSpec spec;
  spec.architecture = "amd64";
  if (!find_program("apt-get")) {
    MESSAGE("skipped: needs apt-get");
    return;
  }
  CHECK_ERROR(AptRoot(folder.path() / "a\"; evil \"", spec, DebianArchives{}, CancelToken()), Category::machine,
              doctest::Contains("has a name that apt's configuration cannot hold"));
}

TEST_CASE("nothing of the machine's own apt sources is seen in a scratch root") {
  if (!find_program("apt-get")) {
    MESSAGE("skipped: needs apt-get");
    return;
  }
  const TempDir folder;
  DebianSpec spec;
  spec.architecture = "arm64";
  const AptRoot apt(folder.path(), spec, DebianArchives{}, CancelToken());
  const CommandResult dump = apt.run({"apt-cache", "policy"}, CancelToken());
  CHECK(dump.exit_code == 0);
  CHECK(dump.stdout_bytes.find("http") == std::string::npos);
  const CommandResult uris = apt.run({"apt-get", "update", "--print-uris"}, CancelToken());
  CHECK(uris.exit_code == 0);
  for (const std::string_view line : split(uris.stdout_bytes, '\n')) {
    if (line.starts_with("'")) CHECK_MESSAGE(line.starts_with("'http://deb.debian.org/debian"), line);
  }
  CHECK(uris.stdout_bytes.find("/dists/bookworm-security/InRelease") != std::string::npos);
  CHECK(apt.lists() == folder.path() / "state" / "lists");
}

TEST_CASE("a mirror that takes too long is left") {
  const TempDir folder;
  DebianSpec spec;
  spec.architecture = "amd64";
  if (!find_program("apt-get")) {
    MESSAGE("skipped: needs apt-get");
    return;
  }
  const test::SilentServer server;
  DebianArchives archives;
  archives.debian = archives.security = fmt::format("http://127.0.0.1:{}/debian", server.port());
  const AptRoot apt(folder.path(), spec, archives, CancelToken());
  CHECK_ERROR(apt.run({"apt-get", "update"}, CancelToken(), 0.5), Category::network,
              "'apt-get' had not ended after 0.5s; is a mirror of Debian slow or silent?");
}

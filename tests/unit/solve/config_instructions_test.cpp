#include "builder/solve/config_instructions.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "builder/dockerfile/parser.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

namespace {

struct Stage {
  dockerfile::GlobalScope global{{}, {"linux", "amd64", ""}, {"linux", "amd64", ""}, ""};
  StageConfig config{{}, dockerfile::StageScope(global, {})};

  explicit Stage(const std::string& instructions) {
    const dockerfile::Dockerfile file = dockerfile::parse("FROM scratch\n" + instructions, "Dockerfile");
    for (const auto& instruction : file.stages[0].instructions) {
      CHECK(apply_config_instruction(config, instruction));
    }
  }
  const oci::ContainerConfig& made() const { return config.image.config; }
};

}  // namespace

TEST_CASE("all pairs of one ENV see the variables as they were above it") {
  const Stage stage("ENV a=1\nENV a=2 b=$a\n");
  CHECK(stage.made().env == std::vector<std::string>{"a=2", "b=1"});
}

TEST_CASE("ENTRYPOINT clears a CMD of the base and keeps one of its own stage") {
  CHECK(Stage("CMD [\"a\"]\nENTRYPOINT [\"b\"]\n").made().cmd == std::vector<std::string>{"a"});
  Stage inherited("");
  inherited.config.image.config.cmd = std::vector<std::string>{"a"};
  const auto file = dockerfile::parse("FROM scratch\nENTRYPOINT [\"b\"]\n", "Dockerfile");
  apply_config_instruction(inherited.config, file.stages[0].instructions[0]);
  CHECK_FALSE(inherited.made().cmd);
}

TEST_CASE("the shell form goes through SHELL") {
  const Stage stage("SHELL [\"/bin/ash\", \"-ec\"]\nCMD echo hi\n");
  CHECK(stage.made().cmd == std::vector<std::string>{"/bin/ash", "-ec", "echo hi"});
}

TEST_CASE("EXPOSE ranges are expanded and protocols lowered") {
  CHECK(Stage("EXPOSE 80-81/TCP\n").made().exposed_ports == std::set<std::string>{"80/tcp", "81/tcp"});
}

TEST_CASE("a working directory is recorded as it is spelt and used cleaned") {
  CHECK(workdir_as_written("/", "/tmp/") == "/tmp/");
  CHECK(workdir_as_written("/a", "b/../c") == "/a/c");
  CHECK(absolute_workdir("/a", "../x/") == "/x");
  CHECK(absolute_workdir("", "b") == "/b");
  CHECK(absolute_workdir("\\", "b") == "/b");
  CHECK(absolute_workdir("\\a\\b", "c") == "/a/b/c");
  CHECK(with_slashes("C:\\a\\b") == "/a/b");
}

TEST_CASE("a stop signal is a name or a number above 0") {
  for (const char* signal : {"SIGTERM", "kill", "9", "99", "RTMIN+3"}) CHECK_NOTHROW(check_stop_signal(signal));
  for (const std::string signal : {"0", "-1", "99999999999", "SIGNOPE", ""}) {
    CHECK(error_of([&] { check_stop_signal(signal); }) ==
          "usage: STOPSIGNAL '" + signal + "' is no signal, expected a name such as SIGTERM or a number above 0");
  }
}

TEST_CASE("RUN's history names the build arguments that were declared, a proxy too") {
  const Stage stage("ARG a=1\nARG unset\nARG HTTP_PROXY=http://proxy\n");
  CHECK(run_history(stage.config, {"/bin/sh", "-c", "make"}) ==
        "RUN |3 a=1 unset= HTTP_PROXY=http://proxy /bin/sh -c make # buildkit");
}

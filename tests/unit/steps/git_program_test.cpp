#include "builder/steps/git_program.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "base/temp_dir.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/silent_server.hpp"

using namespace kiln;

TEST_CASE("a git server that says nothing is left") {
  const TempDir folder;
  const CancelToken cancel;
  const test::SilentServer server;
  const auto url = [&](const char* scheme) { return fmt::format("{}://127.0.0.1:{}/app.git", scheme, server.port()); };
  GitBounds bounds;
  bounds.stall_seconds = 1;
  const GitProgram git("the source", {}, cancel, bounds);
  const std::vector<std::string> words = {"ls-remote", url("http")};
  CHECK_ERROR(git.expect(folder.path(), words), Category::network, "git source 'the source' cannot be had");
  bounds.most_seconds = 0.3;
  CHECK_ERROR(GitProgram("the source", {}, cancel, bounds).run(folder.path(), {"ls-remote", url("git")}),
              Category::network, "git source 'the source' was not fetched within 0.3s");
  CHECK(GitBounds().stall_seconds == 300);
  CHECK(GitBounds().most_seconds == 3600);
}

TEST_CASE("what git writes and prints is bounded") {
  const TempDir folder;
  const CancelToken cancel;
  const GitProgram usual("the source", {}, cancel);
  usual.expect(folder.path(), {"init", "-q", "from"});
  const fs::path from = folder.path() / "from";
  std::string noise;
  std::uint32_t state = 1;
  for (int i = 0; i < 300'000; ++i) noise += static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  write_all(create_file(from / "noise"), noise, "noise");
  usual.expect(from, {"add", "noise"});
  usual.expect(from, {"-c", "user.name=a", "-c", "user.email=a", "commit", "-q", "-m", "x"});
  GitBounds bounds;
  bounds.most_file_bytes = 100'000;
  const std::vector<std::string> clone = {"clone", "-q", "--no-local", from.native(), "to"};
  CHECK_ERROR(GitProgram("the source", {}, cancel, bounds).expect(folder.path(), clone), Category::network,
              "git source 'the source' cannot be had");
  CHECK(usual.run(folder.path(), clone).exit_code == 0);
  bounds = {};
  bounds.most_output_bytes = 10;
  CHECK(error_of([&] {
          GitProgram("the source", {}, cancel, bounds).run(from, {"ls-remote", from.native()});
        }).find("printed more than 10 B") != std::string::npos);
  CHECK(GitBounds().most_file_bytes == std::uint64_t{64} << 30);
  CHECK(GitBounds().most_output_bytes == 256 << 20);
}

#include "builder/steps/git_program.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <stdlib.h>

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
  const GitProgram git("the source", url("http"), {}, cancel, bounds);
  const std::vector<std::string> words = {"ls-remote", url("http")};
  CHECK_ERROR(git.expect(folder.path(), words), Category::network, "git source 'the source' cannot be had");
  bounds.most_seconds = 0.3;
  CHECK_ERROR(GitProgram("the source", url("git"), {}, cancel, bounds).run(folder.path(), {"ls-remote", url("git")}),
              Category::network, "git source 'the source' was not fetched within 0.3s");
  CHECK(GitBounds().stall_seconds == 300);
  CHECK(GitBounds().most_seconds == 3600);
}

TEST_CASE("what git writes and prints is bounded") {
  const TempDir folder;
  const CancelToken cancel;
  const GitProgram usual("the source", "", {}, cancel);
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
  const std::vector<std::string> clone = {
      "-c", "protocol.file.allow=always", "clone", "-q", "--no-local", from.native(), "to"};
  CHECK_ERROR(GitProgram("the source", "", {}, cancel, bounds).expect(folder.path(), clone), Category::network,
              "git source 'the source' cannot be had");
  CHECK(usual.run(folder.path(), clone).exit_code == 0);
  bounds = {};
  bounds.most_output_bytes = 10;
  CHECK(error_of([&] {
          GitProgram("the source", "", {}, cancel, bounds)
              .run(from, {"-c", "protocol.file.allow=always", "ls-remote", from.native()});
        }).find("printed more than 10 B") != std::string::npos);
  CHECK(GitBounds().most_file_bytes == std::uint64_t{64} << 30);
  CHECK(GitBounds().most_output_bytes == 256 << 20);
}

// What git makes of its settings, and what it finds in its environment.
TEST_CASE("git reaches a source and its submodules by the source's transport, with an agent for ssh alone") {
  const TempDir folder;
  const CancelToken cancel;
  const std::string before = environment_variable("SSH_AUTH_SOCK").value_or("");
  ::setenv("SSH_AUTH_SOCK", "/nowhere/agent", 1);
  const auto refuses = [&](const GitProgram& git, const std::string& url) {
    const CommandResult result = git.run(folder.path(), {"ls-remote", "--", url});
    CHECK(result.exit_code != 0);
    return result.stderr_bytes.find("not allowed") != std::string::npos;
  };
  const auto sees_agent = [&](const GitProgram& git) {
    return git.expect(folder.path(), {"-c", "alias.agent=!echo \"[$SSH_AUTH_SOCK]\"", "agent"}) == "[/nowhere/agent]";
  };
  // Port 1 of loopback answers nobody: what is allowed fails there.
  struct Case {
    const char* remote;
    std::vector<const char*> allowed, refused;
    bool has_agent;
  };
  const char* http = "http://127.0.0.1:1/a.git";
  const char* https = "https://127.0.0.1:1/a.git";
  const char* git_url = "git://127.0.0.1:1/a.git";
  const char* ssh = "ssh://git@127.0.0.1:1/a.git";
  const char* file = "file:///nowhere/a.git";
  const char* ext = "ext::true";
  for (const Case& one : {Case{http, {http, https}, {ssh, git_url, file, ext}, false},
                          Case{https, {http, https}, {ssh, git_url, file, ext}, false},
                          Case{ssh, {ssh, https}, {http, git_url, file, ext}, true},
                          Case{"git@host:a.git", {ssh, https}, {http, git_url, file, ext}, true},
                          Case{git_url, {git_url, https}, {http, ssh, file, ext}, false}}) {
    CAPTURE(one.remote);
    const GitProgram git("the source", one.remote, {}, cancel);
    for (const char* url : one.allowed) CHECK_FALSE(refuses(git, url));
    for (const char* url : one.refused) CHECK(refuses(git, url));
    CHECK(sees_agent(git) == one.has_agent);
  }
  before.empty() ? ::unsetenv("SSH_AUTH_SOCK") : ::setenv("SSH_AUTH_SOCK", before.c_str(), 1);
}

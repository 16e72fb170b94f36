#include "builder/steps/git_program.hpp"

#include <fmt/format.h>

#include "base/credentials.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

// What of the caller's environment decides how the network is reached, and nothing else.
constexpr const char* kInherited[] = {"PATH",        "SSH_AUTH_SOCK", "TMPDIR",    "HTTP_PROXY",
                                      "HTTPS_PROXY", "NO_PROXY",      "ALL_PROXY", "http_proxy",
                                      "https_proxy", "no_proxy",      "all_proxy"};

// Headers go in the environment, which other users of the machine cannot read; the command line they can.
std::vector<std::string> environment_with(const std::vector<SourceSecrets::GitHeader>& headers) {
  std::vector<std::string> result = {"HOME=/dev/null",
                                     "GIT_CONFIG_NOSYSTEM=1",
                                     "GIT_CONFIG_GLOBAL=/dev/null",
                                     "GIT_TERMINAL_PROMPT=0",
                                     "GIT_SSH_COMMAND=ssh -o BatchMode=yes",
                                     "GIT_COMMITTER_NAME=kiln",
                                     "GIT_COMMITTER_EMAIL=kiln",
                                     "LC_ALL=C"};
  for (const char* name : kInherited) {
    if (const auto value = environment_variable(name)) result.push_back(fmt::format("{}={}", name, *value));
  }
  result.push_back(fmt::format("GIT_CONFIG_COUNT={}", headers.size()));
  for (std::size_t i = 0; i < headers.size(); ++i) {
    result.push_back(fmt::format("GIT_CONFIG_KEY_{}=http.{}.extraheader", i, headers[i].url));
    result.push_back(fmt::format("GIT_CONFIG_VALUE_{}={}", i, headers[i].header));
  }
  return result;
}

}  // namespace

GitProgram::GitProgram(std::string shown, const std::vector<SourceSecrets::GitHeader>& headers,
                       const CancelToken& cancel)
    : shown_(std::move(shown)), environment_(environment_with(headers)), cancel_(cancel) {
  if (!find_program("git")) {
    throw Error(Category::machine,
                fmt::format("git source '{}' needs the program 'git'; install it: apt-get install git", shown_));
  }
}

CommandResult GitProgram::run(const fs::path& folder, const std::vector<std::string>& words) const {
  Command command;
  command.argv = {"/bin/sh", "-c", "umask 022 && exec git \"$@\"", "git"};
  for (const char* setting : {"core.hooksPath=/dev/null", "advice.detachedHead=false", "protocol.ext.allow=never",
                              "protocol.file.allow=user", "gc.auto=0", "maintenance.auto=false", "init.templateDir="}) {
    command.argv.insert(command.argv.end(), {"-c", setting});
  }
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  command.environment = environment_;
  command.working_directory = folder;
  return run_command(command, cancel_);
}

std::string GitProgram::expect(const fs::path& folder, const std::vector<std::string>& words) const {
  const CommandResult result = run(folder, words);
  if (result.exit_code != 0) throw refused(result);
  return std::string(trim(result.stdout_bytes));
}

Error GitProgram::refused(const CommandResult& result) const {
  Error error(Category::network, fmt::format("git source '{}' cannot be had", shown_));
  error.set_detail(without_url_credentials(result.stderr_bytes));
  return error;
}

}  // namespace kiln

#include "builder/steps/git_program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/credentials.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "base/timed_command.hpp"
#include "builder/steps/git_source.hpp"
#include "registry/remote/proxy.hpp"

namespace kiln {

namespace {

constexpr int kLeastBytesPerSecond = 1024;

constexpr const char* kAgentVariable = "SSH_AUTH_SOCK";

// What of the caller's environment decides how the network is reached, and nothing else.
constexpr const char* kInherited[] = {"PATH",        kAgentVariable, "TMPDIR",    "HTTP_PROXY",
                                      "HTTPS_PROXY", "NO_PROXY",     "ALL_PROXY", "http_proxy",
                                      "https_proxy", "no_proxy",     "all_proxy"};

// What a source's submodules may be reached by: nothing that asks for more of the caller than the source itself does.
std::vector<std::string> transports_of(std::string_view remote) {
  if (is_http_url(remote)) return {"http", "https"};
  if (is_reached_by_ssh(remote)) return {"ssh", "https"};
  return {"git", "https"};
}

// How git tells of a redirect that it was not to follow: by its status.
bool tells_of_redirect(std::string_view messages) {
  constexpr std::string_view kStatus = "The requested URL returned error: 30";
  const std::size_t at = messages.find(kStatus);
  return at != std::string_view::npos && at + kStatus.size() < messages.size() &&
         std::string_view("12378").find(messages[at + kStatus.size()]) != std::string_view::npos;
}

// Headers go in the environment, which other users of the machine cannot read; the command line they can.
// git would send a header on to where a redirect leads, whatever host that is: where there is one, none is followed.
std::vector<std::string> environment_with(const std::vector<SourceSecrets::GitHeader>& headers, bool needs_agent) {
  std::vector<std::string> result = {"HOME=/dev/null",
                                     "GIT_CONFIG_NOSYSTEM=1",
                                     "GIT_CONFIG_GLOBAL=/dev/null",
                                     "GIT_TERMINAL_PROMPT=0",
                                     "GIT_SSH_COMMAND=ssh -o BatchMode=yes",
                                     "GIT_COMMITTER_NAME=kiln",
                                     "GIT_COMMITTER_EMAIL=kiln",
                                     "LC_ALL=C"};
  for (const char* name : kInherited) {
    const auto value = environment_variable(name);
    if (!value || (std::string_view(name) == kAgentVariable && !needs_agent)) continue;
    if (const std::string upper = to_upper(name); upper.ends_with("_PROXY") && upper != "NO_PROXY" && !value->empty())
      check_proxy(*value, name);
    result.push_back(fmt::format("{}={}", name, *value));
  }
  std::size_t settings = 0;
  const auto set = [&](const std::string& key, std::string_view value) {
    result.push_back(fmt::format("GIT_CONFIG_KEY_{}={}", settings, key));
    result.push_back(fmt::format("GIT_CONFIG_VALUE_{}={}", settings, value));
    ++settings;
  };
  for (const SourceSecrets::GitHeader& header : headers) {
    set(fmt::format("http.{}.extraheader", header.url), header.header);
    set(fmt::format("http.{}.followRedirects", header.url), "false");
  }
  result.push_back(fmt::format("GIT_CONFIG_COUNT={}", settings));
  return result;
}

}  // namespace

GitProgram::GitProgram(std::string shown, std::string_view remote, const std::vector<SourceSecrets::GitHeader>& headers,
                       const CancelToken& cancel, GitBounds bounds)
    : shown_(std::move(shown)),
      environment_(environment_with(headers, is_reached_by_ssh(remote))),
      transports_(transports_of(remote)),
      is_authorised_(!headers.empty()),
      cancel_(cancel),
      bounds_(bounds) {
  if (!find_program("git")) {
    throw Error(Category::machine,
                fmt::format("git source '{}' needs the program 'git'; install it: apt-get install git", shown_));
  }
}

CommandResult GitProgram::run(const fs::path& folder, const std::vector<std::string>& words) const {
  Command command;
  constexpr std::uint64_t kLimitUnit = 512;  // of the shell's ulimit
  command.argv = {"/bin/sh", "-c",
                  fmt::format("umask 022; ulimit -f {} 2>/dev/null; exec git \"$@\"",
                              std::max<std::uint64_t>(1, bounds_.most_file_bytes / kLimitUnit)),
                  "git"};
  for (const char* setting : {"core.hooksPath=/dev/null", "advice.detachedHead=false", "protocol.allow=never",
                              "gc.auto=0", "maintenance.auto=false", "init.templateDir="}) {
    command.argv.insert(command.argv.end(), {"-c", setting});
  }
  for (const std::string& transport : transports_)
    command.argv.insert(command.argv.end(), {"-c", fmt::format("protocol.{}.allow=always", transport)});
  command.argv.insert(command.argv.end(),
                      {"-c", fmt::format("http.lowSpeedLimit={}", kLeastBytesPerSecond), "-c",
                       fmt::format("http.lowSpeedTime={}", static_cast<int>(bounds_.stall_seconds))});
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  command.environment = environment_;
  command.working_directory = folder;
  command.most_output_bytes = bounds_.most_output_bytes;
  if (auto result = run_command_within(bounds_.most_seconds, command, cancel_)) return std::move(*result);
  throw Error(Category::network,
              fmt::format("git source '{}' was not fetched within {}", shown_, human_seconds(bounds_.most_seconds)));
}

std::string GitProgram::expect(const fs::path& folder, const std::vector<std::string>& words) const {
  const CommandResult result = run(folder, words);
  if (result.exit_code != 0) throw refused(result);
  return std::string(trim(result.stdout_bytes));
}

Error GitProgram::refused(const CommandResult& result) const {
  const std::string_view why =
      is_authorised_ && tells_of_redirect(result.stderr_bytes)
          ? ": its server redirects, and no token or password goes where a redirect leads; name "
            "the place itself"
          : "";
  Error error(Category::network, fmt::format("git source '{}' cannot be had{}", shown_, why));
  error.set_detail(without_url_credentials(result.stderr_bytes));
  return error;
}

}  // namespace kiln

#include "builder/steps/ssh_agent.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "base/timed_command.hpp"

namespace kiln {

namespace {

constexpr double kMostStartSeconds = 10;
constexpr int kTermination = 15;

}  // namespace

SshAgent::SshAgent(const std::vector<fs::path>& keys, const fs::path& work, const CancelToken& cancel)
    : folder_(work, "ssh-"), socket_(folder_.path() / "agent") {
  for (const char* program : {"ssh-agent", "ssh-add"}) {
    if (!find_program(program)) {
      throw Error(Category::machine,
                  fmt::format("--ssh with a key needs '{}'; install it: apt-get install openssh-client", program));
    }
  }
  thread_ = std::thread([this] {
    try {
      run_command({{"ssh-agent", "-D", "-a", socket_.native()}, {}, {}, {}}, stop_);
    } catch (const Error&) {
      // Ended by the destructor. Where it could not begin, its socket never appears, and that is what is reported.
    }
  });
  try {
    wait_until_it_listens(cancel);
    for (const fs::path& key : keys) add_key(key, cancel);
  } catch (...) {
    stop_.cancel(kTermination);
    thread_.join();
    throw;
  }
}

SshAgent::~SshAgent() {
  if (!thread_.joinable()) return;
  stop_.cancel(kTermination);
  thread_.join();
}

void SshAgent::wait_until_it_listens(const CancelToken& cancel) {
  const double begin = monotonic_seconds();
  while (!fs::is_socket(socket_)) {
    cancel.check();
    if (monotonic_seconds() - begin > kMostStartSeconds) throw Error(Category::machine, "ssh-agent did not start");
    ::usleep(10'000);
  }
}

void SshAgent::add_key(const fs::path& key, const CancelToken& cancel) {
  Command command;
  command.argv = {"ssh-add", "-q", key.native()};
  command.environment = {{"SSH_AUTH_SOCK=" + socket_.native(),
                          "PATH=" + environment_variable("PATH").value_or("/usr/bin:/bin"), "SSH_ASKPASS_REQUIRE=never",
                          "LC_ALL=C"}};
  // One that asks for its passphrase at a terminal is never answered.
  const auto result = run_command_within(kMostStartSeconds, command, cancel);
  if (result && result->exit_code == 0) return;
  Error error(Category::usage,
              fmt::format("--ssh: the key '{}' cannot be used; a key with a passphrase belongs in an agent: "
                          "eval $(ssh-agent); ssh-add {}",
                          printable(key.native()), printable(key.native())));
  if (result) error.set_detail(result->stderr_bytes);
  throw error;
}

}  // namespace kiln

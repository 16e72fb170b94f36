#include <fmt/format.h>

#include <memory>

#include "builder/cli/commands/commands.hpp"
#include "builder/cli/words/registry_name.hpp"
#include "registry/remote/credentials.hpp"

namespace kiln::cli {

namespace {

int run_logout(const std::string& word, const CancelToken& cancel) {
  const std::string registry = parse_registry_name(word);
  const bool was_there = erase_credentials(CredentialEnvironment::from_process(), registry, cancel);
  fmt::print("{}\n", was_there ? fmt::format("logged out of {}", registry)
                               : fmt::format("there were no credentials for {}", registry));
  return 0;
}

}  // namespace

void add_logout_command(Arguments& root) {
  const auto registry = std::make_shared<std::string>();
  root.command("logout", "Forget the user and password for a registry.")
      .required_positional("REGISTRY", *registry, "host[:port]")
      .handler([registry](const CancelToken& cancel) { return run_logout(*registry, cancel); });
}

}  // namespace kiln::cli

#include <fmt/format.h>

#include <memory>

#include "base/standard_input.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/words/registry_name.hpp"
#include "registry/remote/registry_client.hpp"

namespace kiln::cli {

namespace {

constexpr std::uint64_t kMostPasswordBytes = std::uint64_t{64} << 10;  // as much as a token

struct LoginWords {
  std::string registry;
  std::string user;
  bool password_stdin = false;
};

Credentials read_credentials(const LoginWords& words) {
  if (words.user.empty()) throw Error(Category::usage, "'kiln login' needs the user; give it with -u");
  if (!words.password_stdin) {
    throw Error(
        Category::usage,
        "a password is read from standard input only; write 'kiln login REGISTRY -u USER --password-stdin <FILE'");
  }
  Credentials credentials;
  credentials.username = words.user;
  credentials.password = read_standard_input(kMostPasswordBytes, "the password");
  while (credentials.password.ends_with('\n') || credentials.password.ends_with('\r')) credentials.password.pop_back();
  if (credentials.password.empty()) throw Error(Category::usage, "standard input holds no password");
  credentials.source = "flags";
  return credentials;
}

int run_login(const LoginWords& words, const CancelToken& cancel) {
  const std::string registry = parse_registry_name(words.registry);
  const Credentials credentials = read_credentials(words);
  RemoteSettings settings = RemoteSettings::from_environment();
  const CredentialEnvironment environment = settings.credentials;
  settings.credentials.flags = credentials;
  StderrLog log;
  const auto session = RemoteSession::open(std::move(settings), log, cancel);
  with_context([&] { return fmt::format("while logging in to '{}'", registry); },
               [&] { client_of(*session, registry).ping(); });
  const std::string place = store_credentials(environment, registry, credentials, cancel);
  fmt::print("logged in to {}; the credentials are in {}\n", registry, place);
  return 0;
}

}  // namespace

void add_login_command(Arguments& root) {
  const auto words = std::make_shared<LoginWords>();
  root.command("login", "Remember a user and password for a registry, where docker keeps them too.")
      .required_positional("REGISTRY", words->registry, "host[:port]")
      .option("-u,--username", words->user, "the user")
      .flag("--password-stdin", words->password_stdin, "read the password from standard input")
      .handler([words](const CancelToken& cancel) { return run_login(*words, cancel); });
}

}  // namespace kiln::cli

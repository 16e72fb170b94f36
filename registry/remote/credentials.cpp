#include "registry/remote/credentials.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/atomic_file.hpp"
#include "base/base64.hpp"
#include "base/json.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "base/timed_command.hpp"
#include "registry/remote/docker_config.hpp"
#include "registry/remote/docker_hub.hpp"

namespace kiln {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::uint64_t kMostHelperBytes = std::uint64_t{1} << 20;
constexpr char kDockerHubKey[] = "https://index.docker.io/v1/";

// How config.json and the helpers call a registry.
std::string server_key(std::string_view registry) {
  return registry == kDockerHub ? kDockerHubKey : std::string(registry);
}

// "https://index.docker.io/v1/" -> "docker.io", "http://localhost:5000/" -> "localhost:5000"; a path stays.
std::string normalised_key(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  }
  while (key.ends_with('/')) key.remove_suffix(1);
  for (const std::string_view suffix : {"/v1", "/v2"}) {
    if (key.ends_with(suffix)) key.remove_suffix(suffix.size());
  }
  if (key == "index.docker.io" || key == "registry-1.docker.io") return std::string(kDockerHub);
  return std::string(key);
}

// One entry of "auths"; nullopt for an empty one, which docker writes beside a credential store.
std::optional<Credentials> from_auth_entry(const json& entry, const std::string& source, std::string_view registry) {
  if (entry.is_null()) return std::nullopt;
  Credentials found;
  found.source = source;
  found.username = docker_text(entry, "username");
  found.password = docker_text(entry, "password");
  found.identity_token = docker_text(entry, "identitytoken");
  found.registry_token = docker_text(entry, "registrytoken");
  if (std::string auth = docker_text(entry, "auth"); !auth.empty()) {
    // Go's decoder passes line breaks over: base64 wraps its output at 76 columns.
    std::erase_if(auth, [](char c) { return c == '\r' || c == '\n'; });
    auto decoded = base64_decoded(auth);
    const std::size_t colon = decoded ? decoded->find(':') : std::string::npos;
    if (colon == std::string::npos || colon == 0) {
      throw Error(Category::machine,
                  fmt::format("'{}': 'auth' of '{}' is not base64 of 'user:password'; run 'kiln login {}'", source,
                              registry, registry));
    }
    while (decoded->ends_with('\0')) decoded->pop_back();
    found.username = decoded->substr(0, colon);
    found.password = decoded->substr(colon + 1);
  }
  if (found.username.empty() && found.identity_token.empty() && found.registry_token.empty()) return std::nullopt;
  return found;
}

std::string helper_program(const std::string& name) {
  const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  });
  if (!plain)
    throw Error(Category::machine, fmt::format("'{}' is not the name of a credential helper", printable(name)));
  return "docker-credential-" + name;
}

// How long helpers may take, and what stops them earlier.
struct HelperPatience {
  double seconds;
  CancelToken cancel;
};

// Neither what goes to a helper nor what comes from it is ever quoted.
CommandResult run_helper(const std::string& name, const char* action, std::string input,
                         const HelperPatience& patience) {
  Command command;
  command.argv = {helper_program(name), action};
  command.stdin_bytes = std::move(input);
  command.most_output_bytes = kMostHelperBytes;
  if (auto result = run_command_within(patience.seconds, command, patience.cancel)) return std::move(*result);
  throw Error(
      Category::machine,
      fmt::format("credential helper '{}' did not answer '{}' within {}; run it by hand to see what it waits for",
                  command.argv[0], action, human_seconds(patience.seconds)));
}

std::optional<Credentials> ask_helper(const std::string& name, std::string_view registry,
                                      const HelperPatience& patience) {
  const CommandResult result = run_helper(name, "get", server_key(registry), patience);
  const std::string program = helper_program(name);
  if (result.exit_code != 0) {
    if (result.stdout_bytes.find("credentials not found") != std::string::npos) return std::nullopt;
    throw Error(Category::machine,
                fmt::format("credential helper '{}' failed for '{}' with exit code {}; run it by hand: echo "
                            "{} | {} get",
                            program, registry, result.exit_code, server_key(registry), program));
  }
  const json answer =
      parse_helper_answer(result.stdout_bytes, fmt::format("answer of credential helper '{}'", program));
  Credentials found;
  found.source = program;
  found.username = docker_text(answer, "Username");
  found.password = docker_text(answer, "Secret");
  if (found.username == "<token>") {
    found.username.clear();
    found.identity_token = std::exchange(found.password, {});
  }
  if (found.password.empty() && found.identity_token.empty()) return std::nullopt;
  return found;
}

// The helper that a file names for a registry; empty where it names none, which may be for this registry alone.
std::string helper_for(const json& document, std::string_view registry) {
  const json& helpers = docker_member(document, "credHelpers");
  if (helpers.is_object()) {
    for (const auto& [key, value] : helpers.items()) {
      if (value.is_string() && normalised_key(key) == registry) return value.get<std::string>();
    }
  }
  return docker_text(document, "credsStore");
}

// The entry of "auths" with the longest key that is the registry or a prefix of registry/repository.
std::optional<Credentials> from_auths(const json& document, std::string_view registry, std::string_view repository,
                                      const std::string& source) {
  const json& auths = docker_member(document, "auths");
  if (auths.is_null()) return std::nullopt;
  const std::string name = std::string(registry) + (repository.empty() ? "" : "/" + std::string(repository));
  std::string best_key;
  const json* best = nullptr;
  for (const auto& [key, value] : auths.items()) {
    const std::string prefix = normalised_key(key);
    const bool matches = prefix == registry || name == prefix || name.starts_with(prefix + "/");
    if (matches && prefix.find(registry) == 0 && prefix.size() > best_key.size()) {
      best_key = prefix;
      best = &value;
    }
  }
  return best ? from_auth_entry(*best, source, best_key) : std::nullopt;
}

std::optional<Credentials> from_config(const std::string& text, const std::string& source, std::string_view registry,
                                       std::string_view repository, const HelperPatience& patience) {
  if (trim(text).empty()) return std::nullopt;
  const json document = parse_docker_config(text, source);
  // As docker has it: beside a store "auths" may hold what a login left there long ago. Unlike docker, what is there
  // counts where the store knows nothing, or cannot be asked.
  std::optional<Error> failure;
  if (const std::string helper = helper_for(document, registry); !helper.empty()) {
    try {
      if (auto found = ask_helper(helper, registry, patience)) return found;
    } catch (const Error& error) {
      if (error.category() == Category::cancelled) throw;
      failure = error;
    }
  }
  if (auto found = from_auths(document, registry, repository, source)) return found;
  if (failure) throw *failure;
  return std::nullopt;
}

// config.json as it is, in its order; an empty object where there is none.
ordered_json read_document(const fs::path& path) {
  const auto text = read_file_if_exists(path, std::uint64_t{4} << 20);
  if (!text || trim(*text).empty()) return ordered_json::object();
  const json read = parse_docker_config(*text, path.native());
  ordered_json document = parse_own_ordered_json(*text);
  for (auto& [key, value] : document.items()) {
    if (value.is_object() && value.size() < read[key].size()) value = parse_own_ordered_json(json_text(read[key]));
  }
  return document;
}

void write_document(const fs::path& path, const ordered_json& document) {
  std::error_code error;
  const fs::path target = fs::weakly_canonical(path, error);
  const fs::path& real = error ? path : target;
  if (!fs::exists(real.parent_path())) {
    make_directories(real.parent_path());
    fs::permissions(real.parent_path(), fs::perms::owner_all, error);
  }
  write_file_atomically(real, json_text(document, JsonLayout::indented) + "\n", Durability::durable, 0600);
}

std::string writing_helper(const ordered_json& document, std::string_view registry) {
  return helper_for(parse_own_json(json_text(document)), registry);
}

}  // namespace

CredentialEnvironment CredentialEnvironment::from_process() {
  const auto variable = [](const char* name) { return environment_variable(name).value_or(""); };
  CredentialEnvironment result;
  const fs::path home = variable("HOME").empty() ? fs::path("/root") : fs::path(variable("HOME"));
  result.docker_auth_config = variable("DOCKER_AUTH_CONFIG");
  result.docker_config =
      (variable("DOCKER_CONFIG").empty() ? home / ".docker" : fs::path(variable("DOCKER_CONFIG"))) / "config.json";
  if (!variable("REGISTRY_AUTH_FILE").empty()) {
    result.auth_files.push_back(variable("REGISTRY_AUTH_FILE"));
  } else {
    if (!variable("XDG_RUNTIME_DIR").empty())
      result.auth_files.push_back(fs::path(variable("XDG_RUNTIME_DIR")) / "containers/auth.json");
    const fs::path config =
        variable("XDG_CONFIG_HOME").empty() ? home / ".config" : fs::path(variable("XDG_CONFIG_HOME"));
    result.auth_files.push_back(config / "containers/auth.json");
  }
  if (variable("GITHUB_ACTIONS") == "true") {
    result.github_token = variable("GITHUB_TOKEN");
    result.github_actor = variable("GITHUB_ACTOR");
  }
  return result;
}

CredentialStore::CredentialStore(CredentialEnvironment environment, CancelToken cancel)
    : environment_(std::move(environment)), cancel_(std::move(cancel)) {}

std::optional<Credentials> CredentialStore::find(std::string_view registry, std::string_view repository) const {
  const std::string key = std::string(registry) + "/" + std::string(repository);
  const std::lock_guard lock(mutex_);
  if (const auto found = found_.find(key); found != found_.end()) return found->second;
  const HelperPatience patience{environment_.helper_seconds, cancel_};
  const auto look = [&]() -> std::optional<Credentials> {
    if (environment_.flags) return environment_.flags;
    if (auto found = from_config(environment_.docker_auth_config, "DOCKER_AUTH_CONFIG", registry, repository, patience))
      return found;
    std::vector<fs::path> files = {environment_.docker_config};
    files.insert(files.end(), environment_.auth_files.begin(), environment_.auth_files.end());
    for (const fs::path& file : files) {
      if (file.empty()) continue;
      const auto text = read_file_if_exists(file, std::uint64_t{4} << 20);
      if (!text) continue;
      if (auto found = from_config(*text, file.native(), registry, repository, patience)) return found;
    }
    if (registry == "ghcr.io" && !environment_.github_token.empty()) {
      return Credentials{environment_.github_actor.empty() ? "x-access-token" : environment_.github_actor,
                         environment_.github_token, "", "", "GITHUB_TOKEN"};
    }
    return std::nullopt;
  };
  return found_[key] = look();
}

std::string store_credentials(const CredentialEnvironment& environment, std::string_view registry,
                              const Credentials& credentials, const CancelToken& cancel) {
  ordered_json document = read_document(environment.docker_config);
  const std::string key = server_key(registry);
  if (const std::string helper = writing_helper(document, registry); !helper.empty()) {
    const bool token = !credentials.identity_token.empty();
    const json input = {{"ServerURL", key},
                        {"Username", token ? "<token>" : credentials.username},
                        {"Secret", token ? credentials.identity_token : credentials.password}};
    const auto text = strict_json_text(input);
    if (!text)
      throw Error(Category::usage,
                  fmt::format("the login for '{}' is not valid UTF-8, which credential helper '{}' cannot take",
                              registry, helper_program(helper)));
    const CommandResult result = run_helper(helper, "store", *text, {environment.helper_seconds, cancel});
    if (result.exit_code != 0) {
      throw Error(Category::machine,
                  fmt::format("credential helper '{}' could not store the login for '{}' (exit code {})",
                              helper_program(helper), registry, result.exit_code));
    }
    return helper_program(helper);
  }
  ordered_json entry;
  entry["auth"] = base64_encoded(credentials.username + ":" + credentials.password);
  if (!credentials.identity_token.empty()) entry["identitytoken"] = credentials.identity_token;
  document["auths"][key] = std::move(entry);
  write_document(environment.docker_config, document);
  return environment.docker_config.native();
}

bool erase_credentials(const CredentialEnvironment& environment, std::string_view registry, const CancelToken& cancel) {
  ordered_json document = read_document(environment.docker_config);
  const HelperPatience patience{environment.helper_seconds, cancel};
  bool erased = false;
  if (const std::string helper = writing_helper(document, registry); !helper.empty()) {
    erased = ask_helper(helper, registry, patience).has_value();
    if (erased && run_helper(helper, "erase", server_key(registry), patience).exit_code != 0) {
      throw Error(Category::machine, fmt::format("credential helper '{}' could not erase the login for '{}'",
                                                 helper_program(helper), registry));
    }
  }
  const auto auths = document.find("auths");
  if (auths == document.end() || !auths->is_object()) return erased;
  std::vector<std::string> keys;
  for (const auto& [key, value] : auths->items()) {
    if (normalised_key(key) == registry) keys.push_back(key);
  }
  for (const std::string& key : keys) auths->erase(key);
  if (!keys.empty()) write_document(environment.docker_config, document);
  return erased || !keys.empty();
}

}  // namespace kiln

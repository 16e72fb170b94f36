#include "builder/cli/words/definitions_source.hpp"

#include <fmt/format.h>

#include "base/credentials.hpp"
#include "base/error.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/definitions/own_secrets.hpp"
#include "builder/steps/git_checkout.hpp"

namespace kiln::cli {

namespace {

// Go's words for a bool; an empty value says nothing.
bool is_switched_on(const char* variable) {
  const std::string value(trim(environment_variable(variable).value_or("")));
  if (value.empty()) return false;
  const auto flag = bake::flag_of_text(value);
  if (!flag) {
    throw Error(Category::usage, fmt::format("{}: expected true or false, got '{}'", variable, printable(value)));
  }
  return *flag;
}

std::vector<std::string> files_of_environment() {
  std::vector<std::string> result;
  const std::string separator = environment_variable("BUILDX_BAKE_PATH_SEPARATOR").value_or(":");
  const std::string names = environment_variable("BUILDX_BAKE_FILE").value_or("");
  for (const std::string_view name : split(names, separator.empty() ? ':' : separator[0])) {
    if (!trim(name).empty()) result.emplace_back(trim(name));
  }
  return result;
}

SourceSecrets git_secrets() {
  std::vector<SecretSource> secrets;
  for (const char* name : {"GIT_AUTH_TOKEN", "GIT_AUTH_HEADER"}) {
    const std::string variable = std::string("BUILDX_BAKE_") + name;
    if (environment_variable(variable)) secrets.push_back({name, std::nullopt, variable});
  }
  return SourceSecrets(std::move(secrets));
}

}  // namespace

DefinitionsSource find_definitions(const DefinitionWords& words, const CancelToken& cancel) {
  DefinitionsSource result;
  LoadFleetOptions& options = result.options;
  options.working_directory = fs::current_path();
  const std::vector<std::string> files = words.files.empty() ? files_of_environment() : words.files;
  if (!files.empty()) options.file = files.front();
  if (files.size() > 1) options.more_files.assign(files.begin() + 1, files.end());
  options.variables = words.variables;
  options.set = words.set;
  options.wanted = words.targets;
  options.has_file_relative_paths = is_switched_on("BUILDX_BAKE_FILE_RELATIVE_PATHS");
  const bool hides_environment = is_switched_on("BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP");
  options.environment = [hides_environment](const std::string& name) -> std::optional<std::string> {
    if (is_own_secret(name)) {
      throw Error(Category::usage,
                  fmt::format("variable '{}' of a bake file: kiln has it from the environment for itself; give it "
                              "another name",
                              name));
    }
    return hides_environment ? std::nullopt : environment_variable(name);
  };
  if (options.wanted.empty() || !bake::is_remote_context(options.wanted.front())) return result;
  const std::string url = options.wanted.front();
  options.wanted.erase(options.wanted.begin());
  const auto reference = parse_git_reference(url);
  if (!reference) {
    throw Error(Category::usage, fmt::format("'{}' is no git repository to take definitions from; expected "
                                             "https://HOST/REPOSITORY.git[#REF[:FOLDER]]",
                                             printable(without_url_credentials(url))));
  }
  options.fetched_url = without_url_credentials(url);
  result.fetched.emplace(fs::temp_directory_path(), "kiln-definitions-");
  options.fetched_folder = check_out_git(*reference, {false, "", git_secrets()}, result.fetched->path(), cancel).folder;
  return result;
}

}  // namespace kiln::cli

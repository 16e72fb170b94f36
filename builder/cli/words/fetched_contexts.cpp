#include "builder/cli/words/fetched_contexts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/credentials.hpp"
#include "base/error.hpp"
#include "base/paths.hpp"
#include "base/text.hpp"
#include "builder/build/fleet_plan.hpp"
#include "builder/definitions/bake/context_paths.hpp"
#include "builder/definitions/target_words.hpp"
#include "builder/steps/git_checkout.hpp"

namespace kiln::cli {

namespace {

void read_into(TargetSpec& target, const DockerfileInput& dockerfile) {
  target.dockerfile_text = dockerfile.text;
  target.dockerfile_name = dockerfile.name;
  target.ignore_text = dockerfile.ignore_text;
  target.ignore_name = dockerfile.ignore_name;
}

class ContextFetcher {
 public:
  ContextFetcher(MayFetch may_fetch, const CancelToken& cancel) : may_fetch_(may_fetch), cancel_(cancel) {}

  void fetch(TargetSpec& target) {
    std::vector<SecretSource> secrets;
    for (const SecretSource& secret : target.secrets) secrets.push_back(located(secret));
    if (!target.remote_context.empty()) {
      require_network(target, target.remote_context);
      target.dockerfile_inline ? fetch_for_inline(target, secrets) : fetch_context(target, secrets);
      target.remote_context.clear();
    }
    for (auto& [name, value] : target.contexts) {
      if (!bake::is_remote_context(value)) continue;
      require_network(target, value);
      NamedContext context = open_named_context(name, value, may_fetch_, SourceSecrets(secrets), cancel_);
      value = std::move(context.value);
      keep(std::move(context.unpacked));
    }
  }

  std::vector<TempDir> take_folders() { return std::move(folders_); }

 private:
  void require_network(const TargetSpec& target, const std::string& url) const {
    if (may_fetch_ == MayFetch::yes) return;
    throw Error(Category::network,
                fmt::format("--offline: target '{}': the context '{}' is a URL, and nothing is fetched",
                            printable(target.name), printable(without_url_credentials(url))));
  }

  void keep(std::optional<TempDir> folder) {
    if (folder) folders_.push_back(std::move(*folder));
  }

  void fetch_context(TargetSpec& target, const std::vector<SecretSource>& secrets) {
    const bool is_caller_s = target.dockerfile && target.dockerfile->is_absolute();
    const auto file = target.dockerfile && !is_caller_s ? std::optional(target.dockerfile->native()) : std::nullopt;
    const std::string url = target.remote_context;
    BuildContext context = open_build_context(url, file == "Dockerfile" ? std::nullopt : file,
                                              context_access(target.args, secrets), cancel_);
    target.context = context.folder;
    keep(std::move(context.unpacked));
    if (is_caller_s) return;
    target.dockerfile.reset();
    read_into(target, context.dockerfile);
  }

  void fetch_for_inline(TargetSpec& target, const std::vector<SecretSource>& secrets) {
    const auto reference = parse_git_reference(target.remote_context);
    if (!reference) {
      throw Error(Category::usage,
                  fmt::format("target '{}': the context of an inline Dockerfile is a folder or a git "
                              "repository, got '{}'",
                              printable(target.name), printable(without_url_credentials(target.remote_context))));
    }
    const ContextAccess access = context_access(target.args, secrets);
    TempDir& folder = folders_.emplace_back(fs::temp_directory_path(), "kiln-context-");
    target.context = check_out_git(*reference, {access.keep_git_folder, "", access.secrets}, folder.path(), cancel_);
  }

  MayFetch may_fetch_;
  const CancelToken& cancel_;
  std::vector<TempDir> folders_;
};

std::vector<fs::path> folders_and_files_of(const TargetSpec& target) {
  constexpr std::string_view kLayout = "oci-layout://";
  std::vector<fs::path> paths;
  if (target.context) paths.insert(paths.end(), {*target.context, *target.context / ".dockerignore"});
  if (target.dockerfile && target.dockerfile->is_absolute()) {
    paths.insert(paths.end(), {*target.dockerfile, target.dockerfile->native() + ".dockerignore"});
  }
  for (const auto& [name, value] : target.contexts) {
    if (value.starts_with('/')) paths.insert(paths.end(), {value, fs::path(value) / ".dockerignore"});
    if (value.starts_with(kLayout)) paths.emplace_back(value.substr(kLayout.size()));
  }
  return paths;
}

// What a repository's definitions name is in it, links and all, or was taken from the caller's folder by "cwd://".
void refuse_other_places(const TargetSpec& target, const FetchedDefinitions& fetched) {
  for (const fs::path& path : folders_and_files_of(target)) {
    const char* why = nullptr;
    if (!is_inside(path, fetched.folder)) {
      if (is_inside(path, fetched.caller)) continue;
      why = "is outside of the repository and of the folder in which the command was started";
    } else if (leads_out(path, fetched.folder)) {
      why = "is a link that leads out of its source";
    }
    if (why != nullptr) {
      throw Error(Category::usage,
                  fmt::format("target '{}': '{}' {}", printable(target.name), printable(path.native()), why));
    }
  }
}

// No link in a context of a repository leads its Dockerfile out of that context.
void read_fetched_dockerfile(TargetSpec& target, const fs::path& definitions) {
  const bool is_fetched = target.context && target.dockerfile && !target.dockerfile_inline &&
                          is_inside(*target.context, definitions) && is_inside(*target.dockerfile, *target.context);
  if (!is_fetched) return;
  const fs::path file = target.dockerfile->lexically_relative(*target.context);
  read_into(target, read_unpacked_dockerfile(*target.context, file.native()));
  target.dockerfile.reset();
}

}  // namespace

std::vector<TempDir> fetch_contexts(Fleet& fleet, const std::vector<const TargetSpec*>& wanted,
                                    const std::optional<FetchedDefinitions>& fetched, MayFetch may_fetch,
                                    const CancelToken& cancel) {
  std::set<std::string> names;
  for (const TargetSpec* target : with_linked_targets(fleet, wanted)) names.insert(target->name);
  ContextFetcher fetcher(may_fetch, cancel);
  for (TargetSpec& target : fleet.targets) {
    if (!names.contains(target.name)) continue;
    if (fetched) refuse_other_places(target, *fetched);
    fetcher.fetch(target);
    if (fetched) read_fetched_dockerfile(target, fetched->folder);
  }
  return fetcher.take_folders();
}

}  // namespace kiln::cli

#include "builder/cli/words/fetched_contexts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <compare>
#include <map>
#include <set>

#include "base/credentials.hpp"
#include "base/error.hpp"
#include "base/paths.hpp"
#include "base/text.hpp"
#include "builder/build/fleet_plan.hpp"
#include "builder/definitions/bake/context_paths.hpp"
#include "builder/definitions/target_words.hpp"
#include "builder/steps/git_checkout.hpp"
#include "builder/steps/source_secrets.hpp"

namespace kiln::cli {

namespace {

void read_into(TargetSpec& target, const DockerfileInput& dockerfile) {
  target.dockerfile_text = dockerfile.text;
  target.dockerfile_name = dockerfile.name;
  target.ignore_text = dockerfile.ignore_text;
  target.ignore_name = dockerfile.ignore_name;
}

// What a repository or URL is fetched with: two targets that say the same share what was fetched.
struct FetchKey {
  std::string source;                 // and how it is taken
  std::vector<SecretSource> secrets;  // those for sources, in order

  auto operator<=>(const FetchKey&) const = default;
};

FetchKey fetch_key(std::string source, const std::vector<SecretSource>& secrets) {
  FetchKey key{std::move(source), {}};
  for (const SecretSource& secret : secrets) {
    if (SourceSecrets::is_for_sources(secret.id)) key.secrets.push_back(secret);
  }
  std::sort(key.secrets.begin(), key.secrets.end());
  return key;
}

class ContextFetcher {
 public:
  ContextFetcher(MayFetch may_fetch, const CancelToken& cancel) : may_fetch_(may_fetch), cancel_(cancel) {}

  void fetch(TargetSpec& target) {
    std::vector<SecretSource> secrets;
    for (const SecretSource& secret : target.secrets) secrets.push_back(located(secret));
    if (!target.remote_context.empty()) {
      require_network(target, target.remote_context);
      FetchedContext& fetched = target.fetched_from.emplace_back();
      fetched.source = without_user(target.remote_context);
      fetched.digest = target.dockerfile_inline ? fetch_for_inline(target, secrets) : fetch_context(target, secrets);
      target.remote_context.clear();
    }
    for (auto& [name, value] : target.contexts) {
      if (!bake::is_remote_context(value)) continue;
      require_network(target, value);
      FetchedContext& fetched = target.fetched_from.emplace_back();
      fetched.name = name;
      fetched.source = without_user(value);
      if (const auto reference = parse_git_reference(value)) {
        const CheckedOut checked_out = checkout(*reference, false, secrets);
        value = checked_out.folder.native();
        fetched.digest = checked_out.commit;
        continue;
      }
      auto [known, is_new] = named_files_.try_emplace(fetch_key(value, secrets));
      if (is_new) {
        NamedContext context = open_named_context(name, value, may_fetch_, SourceSecrets(secrets), cancel_);
        known->second = {std::move(context.value), std::move(context.digest)};
        keep(std::move(context.unpacked));
      }
      value = known->second.value;
      fetched.digest = known->second.digest;
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

  // Returns what was fetched, as FetchedContext has it.
  std::string fetch_context(TargetSpec& target, const std::vector<SecretSource>& secrets) {
    const bool is_caller_s = target.dockerfile && target.dockerfile->is_absolute();
    const auto file = target.dockerfile && !is_caller_s ? std::optional(target.dockerfile->native()) : std::nullopt;
    const std::string url = target.remote_context;
    const auto wanted_file = file == "Dockerfile" ? std::nullopt : file;
    const ContextAccess access = context_access(target.args, secrets);
    DockerfileInput dockerfile;
    std::string digest;
    if (const auto reference = parse_git_reference(url)) {
      CheckedOut checked_out = checkout(*reference, access.keep_git_folder, secrets);
      target.context = std::move(checked_out.folder);
      digest = std::move(checked_out.commit);
      if (!is_caller_s) dockerfile = read_unpacked_dockerfile(*target.context, wanted_file);
    } else {
      auto [known, is_new] = urls_.try_emplace(fetch_key(url + "\n" + wanted_file.value_or(""), secrets));
      if (is_new) {
        BuildContext context = open_build_context(url, wanted_file, access, cancel_);
        known->second = {*context.folder, std::move(context.dockerfile), std::move(context.digest)};
        keep(std::move(context.unpacked));
      }
      target.context = known->second.folder;
      dockerfile = known->second.dockerfile;
      digest = known->second.digest;
    }
    if (is_caller_s) return digest;
    target.dockerfile.reset();
    read_into(target, dockerfile);
    return digest;
  }

  // The folder that a reference names, in a checkout that all targets share which name that commit.
  CheckedOut checkout(const GitReference& reference, bool keep_git_folder, const std::vector<SecretSource>& secrets) {
    GitReference whole = reference;
    whole.folder.clear();
    const bool is_whole = fs::path("/" + reference.folder).lexically_normal() == "/";
    whole.keep_git_folder = is_whole && (keep_git_folder || reference.keep_git_folder);
    auto [known, is_new] = checkouts_.try_emplace(
        fetch_key(fmt::format("{}\n{}\n{}\n{}{}", whole.remote, whole.ref, whole.checksum,
                              whole.keep_git_folder ? "keep" : "", whole.submodules ? "" : "alone"),
                  secrets));
    if (is_new) {
      const TempDir& folder = folders_.emplace_back(fs::temp_directory_path(), "kiln-context-");
      known->second = check_out_git(whole, {whole.keep_git_folder, "", SourceSecrets(secrets)}, folder.path(), cancel_);
    }
    return {wanted_folder(reference, known->second.folder), known->second.commit};
  }

  std::string fetch_for_inline(TargetSpec& target, const std::vector<SecretSource>& secrets) {
    const auto reference = parse_git_reference(target.remote_context);
    if (!reference) {
      throw Error(Category::usage,
                  fmt::format("target '{}': the context of an inline Dockerfile is a folder or a git "
                              "repository, got '{}'",
                              printable(target.name), printable(without_url_credentials(target.remote_context))));
    }
    CheckedOut checked_out = checkout(*reference, context_access(target.args, secrets).keep_git_folder, secrets);
    target.context = std::move(checked_out.folder);
    return std::move(checked_out.commit);
  }

  MayFetch may_fetch_;
  const CancelToken& cancel_;
  std::vector<TempDir> folders_;
  std::map<FetchKey, CheckedOut> checkouts_;
  struct FetchedUrl {
    fs::path folder;
    DockerfileInput dockerfile;
    std::string digest;
  };
  std::map<FetchKey, FetchedUrl> urls_;
  struct FetchedFile {
    std::string value;
    std::string digest;
  };
  std::map<FetchKey, FetchedFile> named_files_;
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

// A reference is looked up with ls-remote, by BuildKit's order (a branch before a tag of its name), fetched one commit
// deep, and checked out beside its .git. A .git that stays is not that one: it is made anew from it, through a bare
// repository, so that what a server needed (all of its history, where it serves no shallow fetch) leaves no trace.

#include "builder/steps/git_checkout.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>

#include "base/clock.hpp"
#include "base/credentials.hpp"
#include "base/error.hpp"
#include "base/paths.hpp"
#include "base/temp_dir.hpp"
#include "base/text.hpp"
#include "builder/steps/git_program.hpp"

namespace kiln {

namespace {

constexpr std::string_view kRefs = "refs/", kHeads = "refs/heads/", kTags = "refs/tags/";

std::string with_prefix(std::string_view prefix, std::string_view name) {
  return name.starts_with(prefix) ? std::string(name) : fmt::format("{}{}", prefix, name);
}

// What is fetched: an object, and the name under which the server has it.
struct Wanted {
  std::string name;    // as it was asked for: "main", "refs/tags/v1"; empty for an object alone
  std::string ref;     // whole; empty for an object alone
  std::string object;  // as the server said
};

class Checkout {
 public:
  Checkout(const GitReference& reference, const GitCheckout& options, const CancelToken& cancel)
      : reference_(reference),
        options_(options),
        // User name and password travel in a header, so that no configuration and no list of processes holds them.
        url_(is_http_url(reference.remote) ? without_user(reference.remote) : reference.remote),
        git_(reference.shown(), reference.remote, options.secrets.git_headers(reference.remote), cancel) {}

  // Returns the commit.
  std::string into(const fs::path& folder) {
    const std::string commit = check_out(folder);
    if (reference_.commit_times) set_times(folder, commit_time_);
    return commit;
  }

 private:
  std::string check_out(const fs::path& folder) {
    const Wanted wanted = look_up(folder);
    if (!keeps_git_folder()) {
      init(folder, wanted, {});
      std::string alone = fetch(folder, wanted);
      git_.expect(folder, {"checkout", "-q", "--detach", alone});
      read_commit_time(folder);
      update_submodules(folder);
      fs::remove_all(folder / ".git");
      return alone;
    }
    const TempDir bare(folder.parent_path(), "git-");
    init(bare.path(), wanted, {"--bare"});
    std::string commit = fetch(bare.path(), wanted);
    init(folder, wanted, {});
    git_.expect(folder, fetch_from(bare.path(), wanted, commit));
    git_.expect(folder, {"checkout", "-q", "--detach", commit});
    read_commit_time(folder);
    update_submodules(folder);
    git_.expect(folder, {"remote", "set-url", "origin", with_masked_user(reference_.remote)});
    tidy(folder / ".git");
    for_each_module(folder / ".git/modules", [&](const fs::path& module) {
      fs::remove(module / "packed-refs");
      fs::remove_all(module / "refs");
      fs::create_directories(module / "refs/heads");
      tidy(module);
    });
    return commit;
  }

  void read_commit_time(const fs::path& folder) {
    if (!reference_.commit_times) return;
    commit_time_ =
        static_cast<UnixSeconds>(parse_unsigned(git_.expect(folder, {"log", "-1", "--format=%ct"})).value_or(0));
  }

  // Of everything that was checked out, submodules too.
  static void set_times(const fs::path& folder, UnixSeconds time) {
    const timespec times[2] = {{time, 0}, {time, 0}};
    const auto set = [&](const fs::path& path) {
      if (::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
        throw_errno("set the time of", path.native());
    };
    for (const auto& entry : fs::recursive_directory_iterator(folder)) set(entry.path());
    set(folder);
  }

  bool keeps_git_folder() const {
    return (options_.keep_git_folder || reference_.keep_git_folder) &&
           fs::path("/" + reference_.folder).lexically_normal() == "/";
  }

  Wanted look_up(const fs::path& folder) const {
    if (is_git_object_name(reference_.ref)) return {"", "", reference_.ref};
    return reference_.ref.empty() ? default_branch(folder) : find_ref(folder, reference_.ref);
  }

  Wanted default_branch(const fs::path& folder) const {
    Wanted wanted;
    const std::string listed = git_.expect(folder, {"ls-remote", "--symref", "--", url_, "HEAD"});
    for (const std::string_view line : split(listed, '\n')) {
      const std::size_t tab = line.find('\t');
      if (tab == std::string_view::npos || line.substr(tab + 1) != "HEAD") continue;
      const std::string_view value = line.substr(0, tab);
      if (value.starts_with("ref: ")) {
        wanted.ref = value.substr(5);
      } else {
        wanted.object = value;
      }
    }
    if (wanted.object.empty()) refuse("has no commit that its HEAD names");
    if (wanted.ref.starts_with(kHeads)) {
      wanted.name = wanted.ref.substr(kHeads.size());
    } else {
      wanted.ref.clear();
    }
    return wanted;
  }

  Wanted find_ref(const fs::path& folder, const std::string& name) const {
    const std::string listed = git_.expect(folder, {"ls-remote", "--", url_, name});
    for (const std::string& ref : {with_prefix(kRefs, name), with_prefix(kHeads, name), with_prefix(kTags, name)}) {
      for (const std::string_view line : split(listed, '\n')) {
        const std::size_t tab = line.find('\t');
        if (tab == std::string_view::npos || line.substr(tab + 1) != ref) continue;
        const bool is_whole = name.starts_with("heads/") || name.starts_with("tags/") || name.starts_with("remotes/");
        return {is_whole ? ref : name, ref, std::string(line.substr(0, tab))};
      }
    }
    refuse(fmt::format("has no branch, tag or other reference '{}'", printable(name)));
  }

  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(Category::network, fmt::format("git source '{}' {}", reference_.shown(), what));
  }

  void init(const fs::path& folder, const Wanted& wanted, const std::vector<std::string>& words) const {
    // No template: it is the machine's.
    std::vector<std::string> command = {"-c", "init.defaultBranch=master", "init", "-q", "--template="};
    if (wanted.object.size() == 64) command.emplace_back("--object-format=sha256");
    command.insert(command.end(), words.begin(), words.end());
    git_.expect(folder, command);
    git_.expect(folder, {"remote", "add", "origin", url_});
  }

  // The commit that was fetched: alone where the server can do that, else with everything there is.
  std::string fetch(const fs::path& repository, const Wanted& wanted) const {
    const bool is_ref = !wanted.ref.empty();
    const std::string what = is_ref ? fmt::format("+{}:{}", wanted.ref, wanted.ref) : wanted.object;
    const CommandResult shallow = git_.run(repository, {"fetch", "-q", "-u", "--depth=1", "--no-tags", "origin", what});
    if (shallow.exit_code != 0) {
      const std::string all = is_ref ? what : "+refs/heads/*:refs/remotes/origin/*";
      const CommandResult whole =
          git_.run(repository, {"fetch", "-q", "-u", is_ref ? "--no-tags" : "--tags", "origin", all});
      if (whole.exit_code != 0) throw git_.refused(whole);
    }
    const std::string name = is_ref ? wanted.ref : wanted.object;
    const CommandResult commit = git_.run(repository, {"rev-parse", "--verify", "-q", name + "^{commit}"});
    if (commit.exit_code != 0) throw git_.refused(shallow);
    const std::string object = git_.expect(repository, {"rev-parse", name});
    const std::string found(trim(commit.stdout_bytes));
    check(object, found, reference_.checksum);
    check(object, found, options_.checksum);
    return found;
  }

  void check(const std::string& object, const std::string& commit, const std::string& checksum) const {
    const std::string wanted = to_lower(checksum);
    if (commit.starts_with(wanted) || object.starts_with(wanted)) return;
    throw Error(Category::build, fmt::format("git source '{}': expected commit {}, got {}", reference_.shown(),
                                             printable(checksum), commit));
  }

  // From the bare repository into the one that stays, under the names that BuildKit gives.
  std::vector<std::string> fetch_from(const fs::path& bare, const Wanted& wanted, const std::string& commit) const {
    std::vector<std::string> command = {
        "-c", "protocol.file.allow=always", "fetch", "-q", "-u", "--depth=1", "--no-tags",
        "--", "file://" + bare.native()};
    if (wanted.ref.empty()) {
      git_.expect(bare, {"update-ref", "refs/kiln/commit", commit});
      command.emplace_back("refs/kiln/commit");
      return command;
    }
    std::vector<std::string> names;
    if (git_.expect(bare, {"cat-file", "-t", wanted.ref}) == "tag") {
      names = {with_prefix(kTags, wanted.name)};
    } else if (wanted.name.starts_with(kRefs)) {
      names = {wanted.name};
    } else {
      names = {fmt::format("{}{}", kHeads, wanted.name), fmt::format("{}{}", kTags, wanted.name)};
    }
    for (const std::string& name : names) command.push_back(fmt::format("+{}:{}", wanted.ref, name));
    return command;
  }

  void update_submodules(const fs::path& folder) const {
    if (!reference_.submodules || !fs::exists(folder / ".gitmodules")) return;
    const std::vector<std::string> update = {"submodule", "-q", "update", "--init", "--recursive"};
    std::vector<std::string> shallow = update;
    shallow.emplace_back("--depth=1");
    if (git_.run(folder, shallow).exit_code == 0) return;
    // A server that serves no commit by its name needs all of the history.
    git_.run(folder, {"submodule", "-q", "deinit", "-f", "--all"});
    fs::remove_all(folder / ".git/modules");
    git_.expect(folder, update);
  }

  static void for_each_module(const fs::path& folder, const std::function<void(const fs::path&)>& visit) {
    if (!fs::is_directory(folder)) return;
    for (const std::string& name : list_directory(folder)) {
      const fs::path below = folder / name;
      if (!fs::is_directory(fs::symlink_status(below))) continue;
      if (!fs::exists(below / "HEAD")) {
        for_each_module(below, visit);  // the module's name has a slash
        continue;
      }
      visit(below);
      for_each_module(below / "modules", visit);
    }
  }

  // Takes out of a repository what another fetch of the same commit would have otherwise.
  void tidy(const fs::path& repository) const {
    for (const char* name : {"FETCH_HEAD", "ORIG_HEAD"}) fs::remove(repository / name);
    const auto run = [&](std::vector<std::string> words) {
      words.insert(words.begin(), "--git-dir=" + repository.native());
      git_.expect(repository, words);
    };
    run({"reflog", "expire", "--all", "--expire=now"});
    empty_files(repository / "logs");
    mask_urls(repository);
    // Written anew the index has no inodes and times of this machine; git looks at the files when it is asked.
    fs::remove(repository / "index");
    run({"read-tree", "HEAD"});
    if (has_packs(repository)) run({"-c", "pack.threads=1", "repack", "-a", "-d", "-f", "-n", "-q"});
    run({"prune", "--expire=now"});
  }

  static bool has_packs(const fs::path& repository) {
    const fs::path packs = repository / "objects/pack";
    return fs::is_directory(packs) && !fs::is_empty(packs);
  }

  // Logs of references that are gone, which git no longer finds.
  static void empty_files(const fs::path& folder) {
    if (!fs::is_directory(folder)) return;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file()) fs::resize_file(entry.path(), 0);
    }
  }

  // Submodules may have credentials in the URL that .gitmodules tells.
  void mask_urls(const fs::path& repository) const {
    const std::string config = (repository / "config").native();
    const CommandResult found =
        git_.run(repository, {"config", "--file", config, "--null", "--get-regexp", "^(remote|submodule)\\..*\\.url$"});
    for (const std::string_view item : split(found.stdout_bytes, '\0')) {
      const std::size_t line = item.find('\n');
      if (line == std::string_view::npos) continue;
      const std::string masked = with_masked_user(item.substr(line + 1));
      if (masked != item.substr(line + 1))
        git_.expect(repository, {"config", "--file", config, std::string(item.substr(0, line)), masked});
    }
  }

  const GitReference& reference_;
  const GitCheckout& options_;
  std::string url_;
  GitProgram git_;
  UnixSeconds commit_time_ = 0;
};

}  // namespace

CheckedOut check_out_git(const GitReference& reference, const GitCheckout& options, const fs::path& folder,
                         const CancelToken& cancel) {
  std::string commit = Checkout(reference, options, cancel).into(folder);
  return {wanted_folder(reference, folder), std::move(commit)};
}

fs::path wanted_folder(const GitReference& reference, const fs::path& checkout) {
  if (reference.folder.empty()) return checkout;
  const fs::path root = fs::canonical(checkout);
  const fs::path wanted = fs::weakly_canonical(root / fs::path("/" + reference.folder).relative_path());
  if (!is_inside(wanted, root) || !fs::is_directory(wanted)) {
    throw Error(Category::build,
                fmt::format("git source '{}' has no folder '{}'", reference.shown(), printable(reference.folder)));
  }
  return wanted;
}

}  // namespace kiln

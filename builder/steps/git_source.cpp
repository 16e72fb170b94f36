#include "builder/steps/git_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "base/percent.hpp"
#include "base/process.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

// "user@host:path", the form of scp.
bool is_scp_form(std::string_view text) {
  const std::size_t at = text.find('@');
  const std::size_t colon = text.find(':');
  return at != std::string_view::npos && at > 0 && colon != std::string_view::npos && at < colon &&
         text.find('/') > at && text.find("://") == std::string_view::npos;
}

bool is_remote(std::string_view remote) {
  if (remote.starts_with("git://") || remote.starts_with("ssh://")) return true;
  if (remote.starts_with("http://") || remote.starts_with("https://")) {
    return remote.substr(0, remote.find('?')).ends_with(".git");
  }
  return is_scp_form(remote);
}

std::string without_password(std::string_view remote) {
  const std::size_t scheme = remote.find("://");
  if (scheme == std::string_view::npos) return std::string(remote);
  const std::size_t begin = scheme + 3;
  const std::size_t at = remote.substr(begin, remote.find('/', begin) - begin).rfind('@');
  return at == std::string_view::npos
             ? std::string(remote)
             : std::string(remote.substr(0, begin)) + std::string(remote.substr(begin + at + 1));
}

bool is_commit(std::string_view text) {
  return text.size() == 40 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// The git program at work in one repository.
class Git {
 public:
  Git(const GitReference& reference, fs::path folder, const CancelToken& cancel)
      : reference_(reference), folder_(std::move(folder)), cancel_(cancel) {}

  CommandResult run(std::vector<std::string> words) const {
    Command command;
    command.argv = {
        "git", "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", "-c", "protocol.ext.allow=never"};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    command.environment = environment();
    command.working_directory = folder_;
    return run_command(command, cancel_);
  }

  std::string expect(std::vector<std::string> words) const {
    const CommandResult result = run(words);
    if (result.exit_code != 0) throw refused(result);
    return std::string(trim(result.stdout_bytes));
  }

  Error refused(const CommandResult& result) const {
    std::string said = result.stderr_bytes;
    const std::string shown = without_password(reference_.remote);
    for (std::size_t at = said.find(reference_.remote); shown != reference_.remote && at != std::string::npos;
         at = said.find(reference_.remote)) {
      said.replace(at, reference_.remote.size(), shown);
    }
    Error error(Category::network, fmt::format("git source '{}' cannot be had", reference_.shown()));
    error.set_detail(said);
    return error;
  }

 private:
  static std::vector<std::string> environment() {
    std::vector<std::string> result;
    for (char** item = environ; *item; ++item) {
      const std::string_view variable = *item;
      if (!variable.starts_with("GIT_")) result.emplace_back(variable);
    }
    result.insert(result.end(), {"GIT_TERMINAL_PROMPT=0", "GIT_SSH_COMMAND=ssh -o BatchMode=yes", "LC_ALL=C"});
    return result;
  }

  const GitReference& reference_;
  fs::path folder_;
  const CancelToken& cancel_;
};

// Gets the commit that the reference names: alone where the server can do that, else with everything there is.
std::string fetch(const Git& git, const GitReference& reference) {
  const std::string ref = reference.ref.empty() ? "HEAD" : reference.ref;
  const CommandResult shallow = git.run({"fetch", "-q", "--depth=1", "--no-tags", "origin", ref});
  if (shallow.exit_code == 0) return git.expect({"rev-parse", "FETCH_HEAD^{commit}"});
  const CommandResult all = git.run({"fetch", "-q", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*"});
  if (all.exit_code != 0) throw git.refused(all);
  if (ref == "HEAD") {
    const CommandResult head = git.run({"fetch", "-q", "origin", "HEAD"});
    if (head.exit_code != 0) throw git.refused(head);
    return git.expect({"rev-parse", "FETCH_HEAD^{commit}"});
  }
  constexpr std::string_view kHeads = "refs/heads/";
  const std::string branch = ref.starts_with(kHeads) ? ref.substr(kHeads.size()) : ref;
  for (const std::string& name : {"refs/remotes/origin/" + branch, "refs/tags/" + ref, ref}) {
    if (name == ref && !is_commit(ref) && !ref.starts_with("refs/")) break;
    const CommandResult found = git.run({"rev-parse", "--verify", "-q", name + "^{commit}"});
    if (found.exit_code == 0) return std::string(trim(found.stdout_bytes));
  }
  throw git.refused(shallow);
}

void check_commit(const GitReference& reference, const std::string& commit, const std::string& checksum) {
  if (checksum.empty()) return;
  if (!commit.starts_with(to_lower(checksum))) {
    throw Error(Category::build,
                fmt::format("git source '{}': expected commit {}, got {}", reference.shown(), checksum, commit));
  }
}

using Setting = void (*)(GitReference&, const std::string&);

[[noreturn]] void refuse_query(const GitReference& reference, const std::string& why) {
  throw Error(Category::usage, fmt::format("git source '{}': {}", printable(reference.shown()), why));
}

// Sets what may have been said before, by the fragment or another word of the query, if it is the same.
void set_once(const GitReference& reference, std::string& field, const std::string& value, const char* what) {
  if (value.empty()) refuse_query(reference, fmt::format("'{}' has no value", what));
  if (!field.empty() && field != value) {
    refuse_query(reference, fmt::format("'{}' says '{}' and '{}'", what, printable(field), printable(value)));
  }
  field = value;
}

std::string with_prefix(std::string_view prefix, const std::string& name) {
  return name.empty() || name.starts_with(prefix) ? name : std::string(prefix) + name;
}

bool boolean_of(const GitReference& reference, const std::string& value) {
  if (value.empty() || value == "1" || value == "true") return true;
  if (value == "0" || value == "false") return false;
  refuse_query(reference, fmt::format("expected true or false, got '{}'", printable(value)));
}

const std::map<std::string, Setting, std::less<>> kQuery = {
    {"ref", [](GitReference& r, const std::string& v) { set_once(r, r.ref, v, "ref"); }},
    {"tag", [](GitReference& r, const std::string& v) { set_once(r, r.ref, with_prefix("refs/tags/", v), "tag"); }},
    {"branch",
     [](GitReference& r, const std::string& v) { set_once(r, r.ref, with_prefix("refs/heads/", v), "branch"); }},
    {"subdir", [](GitReference& r, const std::string& v) { set_once(r, r.folder, v, "subdir"); }},
    {"checksum", [](GitReference& r, const std::string& v) { set_once(r, r.checksum, v, "checksum"); }},
    {"commit", [](GitReference& r, const std::string& v) { set_once(r, r.checksum, v, "commit"); }},
    {"keep-git-dir", [](GitReference& r, const std::string& v) { r.keep_git_folder = boolean_of(r, v); }},
    {"submodules", [](GitReference& r, const std::string& v) { r.submodules = boolean_of(r, v); }},
};

void read_query(GitReference& reference, std::string_view query) {
  for (const std::string_view word : split(query, '&')) {
    if (word.empty()) continue;
    const std::size_t equals = word.find('=');
    const std::string_view name = word.substr(0, equals);
    const auto setting = kQuery.find(name);
    if (setting == kQuery.end()) {
      std::vector<std::string> names;
      for (const auto& [known, unused] : kQuery) names.push_back(known);
      refuse_query(reference, fmt::format("unknown query '{}'{}", printable(name), suggestion(name, names)));
    }
    setting->second(reference, equals == std::string_view::npos ? "" : percent_decoded(word.substr(equals + 1)));
  }
}

}  // namespace

std::string GitReference::shown() const {
  std::string text = without_password(remote);
  if (!ref.empty() || !folder.empty()) text += "#" + ref;
  if (!folder.empty()) text += ":" + folder;
  return text;
}

std::optional<GitReference> parse_git_reference(std::string_view text) {
  const std::size_t hash = text.find('#');
  GitReference reference;
  reference.remote = text.substr(0, hash);
  if (!is_remote(reference.remote)) return std::nullopt;
  if (hash != std::string_view::npos) {
    const std::string_view fragment = text.substr(hash + 1);
    const std::size_t colon = fragment.find(':');
    reference.ref = fragment.substr(0, colon);
    if (colon != std::string_view::npos) reference.folder = fragment.substr(colon + 1);
  }
  if (const std::size_t question = reference.remote.find('?');
      question != std::string::npos && !is_scp_form(reference.remote)) {
    const std::string query = reference.remote.substr(question + 1);
    reference.remote.resize(question);
    read_query(reference, query);
  }
  if (reference.ref.starts_with('-') || reference.remote.starts_with('-')) {
    throw Error(Category::usage,
                fmt::format("git source '{}': nothing in it may begin with '-'", printable(reference.shown())));
  }
  return reference;
}

fs::path check_out_git(const GitReference& reference, const GitCheckout& options, const fs::path& folder,
                       const CancelToken& cancel) {
  if (!find_program("git")) {
    throw Error(
        Category::machine,
        fmt::format("git source '{}' needs the program 'git'; install it: apt-get install git", reference.shown()));
  }
  const Git git(reference, folder, cancel);
  git.expect({"init", "-q"});
  git.expect({"remote", "add", "origin", reference.remote});
  const std::string commit = fetch(git, reference);
  check_commit(reference, commit, reference.checksum);
  check_commit(reference, commit, options.checksum);
  git.expect({"checkout", "-q", "--detach", commit});
  if (reference.submodules && fs::exists(folder / ".gitmodules"))
    git.expect({"submodule", "update", "-q", "--init", "--recursive"});
  if (!options.keep_git_folder && !reference.keep_git_folder) fs::remove_all(folder / ".git");
  if (reference.folder.empty()) return folder;
  const fs::path root = fs::canonical(folder);
  const fs::path wanted = fs::weakly_canonical(root / fs::path("/" + reference.folder).relative_path());
  const auto [end, unused] = std::mismatch(root.begin(), root.end(), wanted.begin(), wanted.end());
  if (end != root.end() || !fs::is_directory(wanted)) {
    throw Error(Category::build,
                fmt::format("git source '{}' has no folder '{}'", reference.shown(), printable(reference.folder)));
  }
  return wanted;
}

}  // namespace kiln

#include "builder/steps/git_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/error.hpp"
#include "base/percent.hpp"
#include "base/text.hpp"
#include "builder/steps/source_secrets.hpp"

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
  if (is_http_url(remote)) return remote.substr(0, remote.find('?')).ends_with(".git");
  return is_scp_form(remote);
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
  // The words of Go's strconv.ParseBool, which BuildKit reads them by.
  constexpr std::array<std::string_view, 7> kTrue = {"", "1", "t", "T", "true", "TRUE", "True"};
  constexpr std::array<std::string_view, 6> kFalse = {"0", "f", "F", "false", "FALSE", "False"};
  if (std::find(kTrue.begin(), kTrue.end(), value) != kTrue.end()) return true;
  if (std::find(kFalse.begin(), kFalse.end(), value) != kFalse.end()) return false;
  refuse_query(reference, fmt::format("expected true or false, got '{}'", printable(value)));
}

void set_checksum(GitReference& reference, const std::string& value, const char* what) {
  set_once(reference, reference.checksum, value, what);
  if (value.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
    refuse_query(reference, fmt::format("'{}' is a commit's hexadecimal digits, got '{}'", what, printable(value)));
}

void set_times(GitReference& reference, const std::string& value) {
  if (value != "checkout" && value != "commit")
    refuse_query(reference, fmt::format("'mtime' is checkout or commit, got '{}'", printable(value)));
  reference.commit_times = value == "commit";
}

const std::map<std::string, Setting, std::less<>> kQuery = {
    {"ref", [](GitReference& r, const std::string& v) { set_once(r, r.ref, v, "ref"); }},
    {"tag", [](GitReference& r, const std::string& v) { set_once(r, r.ref, with_prefix("refs/tags/", v), "tag"); }},
    {"branch",
     [](GitReference& r, const std::string& v) { set_once(r, r.ref, with_prefix("refs/heads/", v), "branch"); }},
    {"subdir", [](GitReference& r, const std::string& v) { set_once(r, r.folder, v, "subdir"); }},
    {"checksum", [](GitReference& r, const std::string& v) { set_checksum(r, v, "checksum"); }},
    {"commit", [](GitReference& r, const std::string& v) { set_checksum(r, v, "commit"); }},
    {"fetch-by-commit", [](GitReference& r, const std::string& v) { r.fetch_by_commit = boolean_of(r, v); }},
    {"keep-git-dir", [](GitReference& r, const std::string& v) { r.keep_git_folder = boolean_of(r, v); }},
    {"mtime", set_times},
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

// Without asking the server what the branch or tag names by now.
void go_by_commit(GitReference& reference) {
  const std::string commit = to_lower(reference.checksum.empty() ? reference.ref : reference.checksum);
  if (!is_git_object_name(commit)) {
    refuse_query(reference, fmt::format("'fetch-by-commit' needs all digits of a commit as 'checksum' or reference, "
                                        "got '{}'",
                                        printable(commit)));
  }
  reference.ref = commit;
}

}  // namespace

std::string GitReference::shown() const {
  std::string text = without_user(remote);
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
    if (reference.fetch_by_commit) go_by_commit(reference);
  }
  if (reference.ref.starts_with('-') || reference.remote.starts_with('-')) {
    throw Error(Category::usage,
                fmt::format("git source '{}': nothing in it may begin with '-'", printable(reference.shown())));
  }
  return reference;
}

bool is_git_object_name(std::string_view text) {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return (text.size() == 40 || text.size() == 64) && std::all_of(text.begin(), text.end(), is_digit);
}

bool is_reached_by_ssh(std::string_view text) {
  const auto git = parse_git_reference(text);
  return git && (git->remote.starts_with("ssh://") || git->remote.find("://") == std::string::npos);
}

}  // namespace kiln

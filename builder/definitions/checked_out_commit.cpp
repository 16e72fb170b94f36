#include "builder/definitions/checked_out_commit.hpp"

#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::size_t kMostHeadBytes = 4096;
constexpr std::size_t kMostPackedBytes = std::size_t{64} << 20;

std::optional<std::string> line_of(const fs::path& file) {
  const auto text = read_file_if_exists(file, kMostHeadBytes);
  return text ? std::optional(std::string(trim(*text))) : std::nullopt;
}

bool is_commit(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// .git is a folder or, in a linked worktree and in a submodule, a file that names one.
std::optional<fs::path> git_folder_of(fs::path folder) {
  for (folder = fs::absolute(folder).lexically_normal();; folder = folder.parent_path()) {
    const fs::path git = folder / ".git";
    std::error_code code;
    if (fs::is_directory(git, code)) return git;
    constexpr std::string_view kNames = "gitdir: ";
    if (const auto line = fs::is_regular_file(git, code) ? line_of(git) : std::nullopt;
        line && line->starts_with(kNames))
      return (folder / line->substr(kNames.size())).lexically_normal();
    if (folder == folder.parent_path()) return std::nullopt;
  }
}

std::optional<std::string> packed_commit(const fs::path& git, const std::string& reference) {
  const auto text = read_file_if_exists(git / "packed-refs", kMostPackedBytes);
  if (!text) return std::nullopt;
  for (const std::string_view line : split(*text, '\n')) {
    const std::size_t space = line.find(' ');
    if (space != line.npos && line.substr(space + 1) == reference && is_commit(line.substr(0, space)))
      return std::string(line.substr(0, space));
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> checked_out_commit(const fs::path& folder) {
  const auto git = git_folder_of(folder);
  const auto head = git ? line_of(*git / "HEAD") : std::nullopt;
  if (!head) return std::nullopt;
  if (is_commit(*head)) return head;
  constexpr std::string_view kReference = "ref: ";
  if (!head->starts_with(kReference)) return std::nullopt;
  const std::string reference = head->substr(kReference.size());
  if (!reference.starts_with("refs/") || reference.find("..") != reference.npos) return std::nullopt;
  // The references of all linked worktrees are together.
  const auto common = line_of(*git / "commondir");
  const fs::path shared = common ? *git / *common : *git;
  if (const auto loose = line_of(shared / reference); loose && is_commit(*loose)) return loose;
  return packed_commit(shared, reference);
}

}  // namespace kiln

#include "builder/init/git_remote.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln::init {

std::optional<GitRemote> parse_git_remote(std::string_view url) {
  std::string text(trim(url));
  const std::size_t scheme = text.find("://");
  if (scheme != std::string::npos) text.erase(0, scheme + 3);
  const std::size_t first_slash = text.find('/');
  if (const std::size_t at = text.rfind('@', first_slash); at != std::string::npos) text.erase(0, at + 1);
  const std::size_t end = text.find_first_of(scheme == std::string::npos ? ":/" : "/");
  if (end == std::string::npos || end == 0) return std::nullopt;
  GitRemote remote{to_lower(text.substr(0, end)), to_lower(text.substr(end + 1))};
  if (remote.path.ends_with(".git")) remote.path.resize(remote.path.size() - 4);
  while (remote.path.ends_with('/')) remote.path.pop_back();
  const bool is_plain = remote.path.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-/") == std::string::npos;
  if (remote.path.find('/') == std::string::npos || !is_plain) return std::nullopt;
  return remote;
}

std::optional<GitRemote> git_remote_of(const fs::path& root) {
  std::optional<std::string> text;
  try {
    text = read_file_if_exists(root / ".git" / "config", std::uint64_t{1} << 20);
  } catch (const Error&) {
    return std::nullopt;  // a work tree's .git is a file; the registry is said to be a guess then
  }
  if (!text) return std::nullopt;
  bool is_origin = false;
  for (const std::string_view line : split(*text, '\n')) {
    const std::string_view word = trim(line);
    if (word.starts_with('[')) is_origin = word == "[remote \"origin\"]";
    const std::size_t equals = word.find('=');
    if (!is_origin || equals == std::string_view::npos || trim(word.substr(0, equals)) != "url") continue;
    return parse_git_remote(word.substr(equals + 1));
  }
  return std::nullopt;
}

}  // namespace kiln::init

#pragma once

#include <optional>
#include <string>

#include "base/file.hpp"

namespace kiln::init {

// Where a checkout is pushed to: remote "origin" of .git/config, without credentials. nullopt where it says none.
struct GitRemote {
  std::string host;  // "github.com"
  std::string path;  // "acme/shop", lower case
};
std::optional<GitRemote> git_remote_of(const fs::path& root);

// Of "https://user:token@github.com/Acme/shop.git" and "git@github.com:Acme/shop.git".
std::optional<GitRemote> parse_git_remote(std::string_view url);

}  // namespace kiln::init

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/cancel.hpp"
#include "base/file.hpp"
#include "builder/steps/fetched_source.hpp"

namespace kiln {

// What a git source says: "https://host/repo.git#ref:folder", or as a query
// "https://host/repo.git?branch=main&subdir=folder" (Dockerfile reference, "ADD", "Git URL queries").
struct GitReference {
  std::string remote;
  std::string ref;       // branch, tag, commit or "refs/..."; empty: the remote's default branch
  std::string folder;    // inside of the repository; empty: all of it
  std::string checksum;  // the commit, or how it begins; empty: any
  bool keep_git_folder = false;
  bool submodules = true;

  // For messages: without user name and password.
  std::string shown() const;
};

// nullopt for what is no git source. https and http URLs are one where their path ends in ".git"; git://, ssh:// and
// "user@host:path" always are. Error{usage} for a query that says what kiln does not know, or two different things.
std::optional<GitReference> parse_git_reference(std::string_view text);

struct GitCheckout {
  bool keep_git_folder = false;
  std::string checksum;  // the commit, or how it begins; empty: any
};

// Checks a reference (submodules too) out into `folder`, which is empty, by the git program, and returns the path of
// the wanted folder in it. It never asks for a password and runs no hook. Error{machine} where there is no git,
// Error{network} where the repository or the reference cannot be had, Error{build} for another commit than `checksum`
// or a missing folder.
fs::path check_out_git(const GitReference& reference, const GitCheckout& options, const fs::path& folder,
                       const CancelToken& cancel);

}  // namespace kiln

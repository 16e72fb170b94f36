#pragma once

#include <optional>
#include <string>
#include <string_view>

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
  bool fetch_by_commit = false;  // `ref` is the commit of the query, whatever the branch or tag names by now
  bool commit_times = false;     // mtime=commit: files are as old as the commit, not as the checkout

  // For messages: without user name and password.
  std::string shown() const;
};

// nullopt for what is no git source. https and http URLs are one where their path ends in ".git"; git://, ssh:// and
// "user@host:path" always are. Error{usage} for a query that says what kiln does not know, or two different things.
std::optional<GitReference> parse_git_reference(std::string_view text);

// Whether the text is the whole name of a commit or tag object, by SHA-1 or SHA-256, in small letters.
bool is_git_object_name(std::string_view text);

// Whether the text is a git source that git reaches by SSH, with the agent of its caller.
bool is_reached_by_ssh(std::string_view text);

}  // namespace kiln

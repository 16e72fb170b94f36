#pragma once

#include <string>

#include "base/cancel.hpp"
#include "base/file.hpp"
#include "builder/steps/git_source.hpp"
#include "builder/steps/source_secrets.hpp"

namespace kiln {

struct GitCheckout {
  bool keep_git_folder = false;
  std::string checksum;  // the commit or tag object, or how it begins; empty: any
  SourceSecrets secrets;
};

// What a reference came to.
struct CheckedOut {
  fs::path folder;     // the wanted one
  std::string commit;  // its whole name
};

// Checks a reference (submodules too) out into `folder`, which is empty, by the git program. A .git that is kept is
// what BuildKit leaves: HEAD at the commit, the reference that was asked for (as branch and tag where its name does not
// say which), one commit deep, an origin without credentials; and nothing in it tells who fetched it or when, so that
// two fetches of one commit are the same bytes. Error{machine} where there is no git, Error{network} where the
// repository or the reference cannot be had, Error{build} for another commit than `checksum` or a missing folder.
//
// wanted_folder() is the last of it: what a reference names in a checkout of its whole repository.
CheckedOut check_out_git(const GitReference& reference, const GitCheckout& options, const fs::path& folder,
                         const CancelToken& cancel);

fs::path wanted_folder(const GitReference& reference, const fs::path& checkout);

}  // namespace kiln

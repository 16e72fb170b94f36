#pragma once

#include <optional>
#include <string>

#include "base/file.hpp"

namespace kiln {

// The commit that is checked out where a folder is (gitrepository-layout(5): HEAD, loose and packed references, linked
// worktrees): 40 or 64 hex digits. Only files are read, no program is run, and whether the files are as in the commit
// is not asked. nullopt where the folder is in no checkout, before the first commit, and for references that are kept
// in another way.
std::optional<std::string> checked_out_commit(const fs::path& folder);

}  // namespace kiln

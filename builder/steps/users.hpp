#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/layer/merged_view.hpp"
#include "builder/steps/copy_plan.hpp"

namespace kiln {

// Whom a process of an image runs as.
struct ResolvedUser {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;  // further ones, from /etc/group
  std::string home = "/";
};

// USER's argument, "name|uid[:group|gid]", by the image's /etc/passwd and /etc/group as docker reads it. Empty: root.
// Error{build} for a name that is not there, and for a number above 2147483647, which no runtime takes.
ResolvedUser resolve_user(const std::string& user, const MergedView& view);

// The number of USER's user; nullopt where the image has none of that name.
std::optional<std::uint32_t> find_uid(const std::string& user, const MergedView& view);

struct ResolvedOwner : Ownership {
  std::vector<std::string> notes;  // names that the image does not have, one sentence each
};

// The argument of --chown, or of the USER that WORKDIR makes its folder for (`said_by`); without a group that of the
// user, of a number the number. As with BuildKit an unknown user is root and an unknown group the user's in an image
// that has files, and Error{build} in an empty one.
ResolvedOwner resolve_owner(const std::string& owner, const MergedView& view, std::string_view said_by = "--chown");

}  // namespace kiln

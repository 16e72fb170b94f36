#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kiln {

// The first range of further ids that a user may use, from /etc/subuid or /etc/subgid (subuid(5)).
struct IdRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};
std::optional<IdRange> find_id_range(std::string_view text, std::string_view user_name, std::uint64_t user_id);

// Whether an id of this namespace is one outside of it, by the text of /proc/PID/uid_map or gid_map.
bool is_mapped(std::string_view id_map, std::uint64_t id);

// Makes this process, which must have a single thread, root of a new user namespace: its user is 0 in it, further ids
// are those of /etc/subuid and /etc/subgid, mapped by newuidmap and newgidmap. Returns "" or, where it stayed as it
// was, the reason and what helps.
std::string enter_user_namespace();

}  // namespace kiln

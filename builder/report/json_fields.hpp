#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/json_members.hpp"
#include "builder/report/contents.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

// What reports and baselines.json have in common.

// A digest; "" means none.
oci::Digest digest_or_empty(const JsonMembers& members, const char* key);

// {"base": N, "build_tools": N, "caches": N, "duplicates": N, "packages": N, "repeated": N}
nlohmann::ordered_json contents_to_json(const ContentBytes& contents);
ContentBytes read_contents(const JsonMembers& members);

}  // namespace kiln

#pragma once

#include <string_view>

#include "base/file.hpp"
#include "builder/definitions/schema.hpp"

namespace kiln {

// kiln's schema of a profile with what `text`, the schema.json beside somebody's profiles, adds to it. A property or
// definition of both is the one of `text`, but for x-kiln-sets, which stays unless `text` says it anew: the variables
// that a library reads are set whether or not a schema of one's own repeats them. Any other keyword of `text` counts
// in place of kiln's; without "additionalProperties" of its own a key that neither has is refused.
// Error{usage} naming `file` for what JsonSchema::parse() refuses.
JsonSchema extended_profile_schema(std::string_view text, const fs::path& file);

}  // namespace kiln

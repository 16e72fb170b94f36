#pragma once

#include <string>
#include <string_view>

namespace kiln {

// A page of Markdown about every key that a schema of JsonSchema's subset allows, in the schema's order: its type,
// default, meaning and example. Keys of objects in objects are written "cache.sign.trust". Error{usage} for a text that
// is no JSON.
std::string schema_reference(std::string_view schema_text, std::string_view command);

}  // namespace kiln

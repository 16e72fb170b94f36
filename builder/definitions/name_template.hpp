#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

// A template of a repository or tag: text with {NAME} placeholders.
//
// Replaces each placeholder with its value. One without a value (nullopt) goes together with the one separator (-, _, .
// or /) before it or, at the beginning, behind it: "{image}-{profile}" is "{image}". Error{usage} for an unknown
// placeholder (with the nearest) and a brace without its partner.
std::string render_template(std::string_view text, const std::map<std::string, std::optional<std::string>>& values);

// Error{usage} where a tag's template has an unknown placeholder or cannot make a valid tag.
void check_tag_template(std::string_view text);

// Whether a template says {NAME}.
bool template_uses(std::string_view text, std::string_view name);

}  // namespace kiln

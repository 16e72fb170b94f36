#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace kiln {

// Bounds for a JSON text. The defaults fit what a registry may send (a manifest is refused above 4 MiB).
struct JsonLimits {
  std::size_t max_bytes = std::size_t{4} << 20;
  std::size_t max_depth = 64;
};

// Parses a JSON text (RFC 8259) that may be hostile: refuses what exceeds the limits, duplicate keys of one
// object, anything after the value, and invalid UTF-8. The Error has the category given, names `name` and the
// line: "manifest of 'x': line 3: duplicate key 'layers'". Nothing else of the text is in it, for it may be a token.
nlohmann::json parse_json(std::string_view text, std::string_view name, Category category,
                          const JsonLimits& limits = {});
// The same for a file that people write, with its line as their editors take it: Error{usage} "FILE:3: duplicate key
// 'layers'".
nlohmann::json parse_json_file(std::string_view text, std::string_view file_name, const JsonLimits& limits = {});

// A text that kiln made or has checked by parse_json before: nothing is bounded, and what is no JSON is nlohmann's
// exception, a fault of kiln itself.
nlohmann::json parse_own_json(std::string_view text);
// The same with the members of objects in their order.
nlohmann::ordered_json parse_own_ordered_json(std::string_view text);
// For short texts that may or may not be JSON; nullopt for what is none.
std::optional<nlohmann::json> try_parse_json(std::string_view text);

enum class JsonLayout {
  one_line,
  indented,  // by two spaces, for people
};

// The value as a JSON text, without a line break at its end. U+FFFD takes the place of what is no UTF-8, as a text of
// others may have it.
std::string json_text(const nlohmann::json& value, JsonLayout layout = JsonLayout::one_line);
std::string json_text(const nlohmann::ordered_json& value, JsonLayout layout = JsonLayout::one_line);

// The same on one line; nullopt where a text in it is no UTF-8.
std::optional<std::string> strict_json_text(const nlohmann::json& value);
std::optional<std::string> strict_json_text(const nlohmann::ordered_json& value);

// A member that is a string; empty where there is none, it is something else, or the value is no object. For documents
// that others write and that say what they like: what must be there is read by JsonMembers.
std::string string_member(const nlohmann::json& object, std::string_view name);

// The line (from 1) on which the value at an RFC 6901 pointer begins; for a member, the line of its key. For
// messages about a text that parse_json accepted; nullopt where the pointer leads nowhere.
std::optional<int> json_line_of(std::string_view text, std::string_view pointer);

}  // namespace kiln

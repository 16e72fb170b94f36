#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
bool equals_ignoring_case(std::string_view a, std::string_view b);
std::string join(const std::vector<std::string>& parts, std::string_view separator);

// A whole non-negative number in the given base; nullopt for anything else (signs, spaces, overflow).
std::optional<std::uint64_t> parse_unsigned(std::string_view text, int base = 10);

// The candidate that is at most a third of its length of edits away from `word`; nullopt where none is.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);
// "; did you mean 'X'?" or, where nothing is near, "; known: A, B, C" (nothing for no candidates).
std::string suggestion(std::string_view word, const std::vector<std::string>& candidates);

// "1.2 GB": decimal units, as docker prints sizes.
std::string human_bytes(std::uint64_t bytes);
// "0.3s", "12.4s", "3m05s".
std::string human_seconds(double seconds);

// Control characters, bidirectional overrides and invalid UTF-8 made visible, so that text from a hostile source can be
// printed.
std::string printable(std::string_view text);
// The same of no more than so many bytes, with "..." where there are more.
std::string printable(std::string_view text, std::size_t most_bytes);
// A JSON text with \u escapes in place of what a terminal or the log of a CI service would obey: the same document.
std::string visible_json(std::string_view json);
// A line of a message: what is in the middle of more than 8,000 bytes is left out, and how much of it is said.
std::string readable_line(std::string_view line);

std::string hex(std::string_view bytes);

}  // namespace kiln

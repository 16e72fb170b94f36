#pragma once

#include <optional>
#include <string_view>

namespace kiln {

// What a blob of a shared cache holds, for the account of what was fetched.
enum class FetchedKind { layer, file_index, cache_mount };

std::string_view to_string(FetchedKind kind);  // such as "file index"
std::optional<FetchedKind> parse_fetched_kind(std::string_view text);

}  // namespace kiln

#include "builder/cache/fetched_kind.hpp"

namespace kiln {

std::string_view to_string(FetchedKind kind) {
  switch (kind) {
    case FetchedKind::layer:
      return "layer";
    case FetchedKind::file_index:
      return "file index";
    case FetchedKind::cache_mount:
      return "cache mount";
  }
  return "layer";
}

std::optional<FetchedKind> parse_fetched_kind(std::string_view text) {
  for (const FetchedKind kind : {FetchedKind::layer, FetchedKind::file_index, FetchedKind::cache_mount}) {
    if (text == to_string(kind)) return kind;
  }
  return std::nullopt;
}

}  // namespace kiln

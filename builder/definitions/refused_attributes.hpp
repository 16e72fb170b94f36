#pragma once

#include <optional>
#include <string_view>

namespace kiln {

// Attributes of buildx's bake targets that kiln does not honour, nor 'kiln build' their flags: why, and what to do
// instead. nullopt for all others.
std::optional<std::string_view> reason_against(std::string_view attribute);

}  // namespace kiln

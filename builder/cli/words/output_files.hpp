#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kiln::cli {

// Error{usage} naming `flag` for a file that cannot be written when the build has ended: it is a folder, or the folder
// that it would be in is not there.
void refuse_unwritable(const std::optional<std::string>& file, std::string_view flag);

}  // namespace kiln::cli

#pragma once

#include <string>

#include "builder/cli/words/command_document.hpp"

namespace kiln::cli {

// The page of a command for man(1), section 1: roff with the macros of man(7). `parents` are the commands it is nested
// in, the program first ({"kiln", "cache"} for `kiln cache du`); its name is those and its own, joined by dashes.
std::string manual_page(const DocumentedCommand& command, const std::vector<std::string>& parents,
                        std::string_view version);

}  // namespace kiln::cli

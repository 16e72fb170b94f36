#pragma once

#include <string_view>

namespace kiln::cli {

// To standard output, for people: a CI service that keeps it in a log takes no order from a line. Documents for
// programs are printed as they are.
void print_text(std::string_view text);

}  // namespace kiln::cli

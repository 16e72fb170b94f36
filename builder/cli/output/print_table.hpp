#pragma once

#include <string_view>

#include "builder/report/text_table.hpp"

namespace kiln::cli {

// Prints a table to standard output: as wide as the terminal and in colour there, else in full and without.
void print_table(const TextTable& table);

// One line "Name:        value", made printable; nothing where the value is empty.
void print_field(std::string_view name, std::string_view value);

}  // namespace kiln::cli

#pragma once

#include <string_view>
#include <vector>

#include "builder/packages/package.hpp"

namespace kiln {

// Programs that are looked into; docs/limits.md.
inline constexpr std::uint64_t kMinProgramBytes = std::uint64_t{512} << 10;  // the Go linker makes none so small
inline constexpr std::uint64_t kMaxProgramBytes = std::uint64_t{128} << 20;

// The modules that a program says it was linked of: what the Go linker writes from 1.18 on (Go's debug/buildinfo). The
// main module first, where it has a version, then the standard library, called "stdlib", then the others; a module that
// another one replaces goes by that one. Nothing for a program that is no ELF file or none of Go's. It may be from
// anybody: what is damaged is left out with a note that names `where`, and nothing is thrown.
std::vector<StatedPackage> read_go_build_info(std::string_view program, std::string_view where, PackageNotes& notes);

}  // namespace kiln

#pragma once

namespace kiln::cli {

// The version of the CMake project.
extern const char* const kVersion;

}  // namespace kiln::cli

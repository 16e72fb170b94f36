#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

// Whether code compiled for the entries of an arch list runs on a GPU of compute capability `wanted` ("8.9"). Binary
// code runs on the same major version with a minor not below its own (8.6 code on 8.9, not the other way round); an
// entry with "+PTX" also serves every later one, since the driver compiles its PTX (CUDA C++ Programming Guide,
// "Binary Compatibility", "PTX Compatibility"). An entry with a letter ("9.0a") serves that capability alone.
//
// nullopt: served. Else why not: "no entry of '8.6' serves CUDA_ARCH '8.0': ...". Error{usage} for what is no
// capability.
std::optional<std::string> check_cuda_arch(std::string_view wanted, const std::vector<std::string>& arch_list);

}  // namespace kiln

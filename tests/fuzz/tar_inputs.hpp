#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/layer/layer_reader.hpp"

// What the targets that take tars share.
namespace kiln::fuzz {

// The input with whole blocks, and headers whose checksums are right, or hardly an input would get past the first one.
std::string sealed_tar(std::string_view input);
TarLimits small_tar_limits();

std::vector<std::string> tar_seeds();
std::vector<std::string> tar_words();

}  // namespace kiln::fuzz

#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "builder/layer/byte_source.hpp"

namespace kiln {

bool is_xz(std::string_view head);

// What is in xz data: streams one behind the other, with zeros between and behind them (xz(1)). What stands there else,
// or is damaged, is Error{build} that names `name`, once all that comes before it was read.
std::unique_ptr<ByteSource> inflate_xz(std::unique_ptr<ByteSource> source, std::string name);

}  // namespace kiln

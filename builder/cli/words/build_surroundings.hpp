#pragma once

#include <optional>
#include <string>

#include "base/cancel.hpp"
#include "builder/build/build_request.hpp"

namespace kiln::cli {

struct ProgressWords {
  std::optional<std::string> progress;  // --progress
  bool quiet = false;
};

// A build that shows what it does on this terminal. Error{usage} for another word than --progress knows.
BuildSurroundings surroundings_of(const ProgressWords& words, const CancelToken& cancel);

}  // namespace kiln::cli

#pragma once

#include <string>

#include "registry/remote/push.hpp"
#include "registry/remote/wire_stats.hpp"

namespace kiln::cli {

enum class OutputFormat { text, json };

// What a push came to: a line for each name, or JSON {"targets": [{"name", "digest", "outcome"}], "wire"}.
std::string push_outcome_text(const PushOutcome& outcome, const WireStats& stats, OutputFormat format);

}  // namespace kiln::cli

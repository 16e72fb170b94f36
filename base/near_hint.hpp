#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kiln {

// "did you mean 'X'?" for the candidate that is nearest to `word` (see nearest()), made printable; nothing where none
// is near.
std::string near_question(std::string_view word, const std::vector<std::string>& candidates);

// The same as the end of a message: "; did you mean 'X'?". suggestion() lists what is known where nothing is near.
std::string near_hint(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace kiln

#include "base/near_hint.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace kiln {

std::string near_question(std::string_view word, const std::vector<std::string>& candidates) {
  const auto near = nearest(word, candidates);
  return near ? fmt::format("did you mean '{}'?", printable(*near)) : "";
}

std::string near_hint(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string question = near_question(word, candidates);
  return question.empty() ? "" : "; " + question;
}

}  // namespace kiln

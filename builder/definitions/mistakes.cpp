#include "builder/definitions/mistakes.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "builder/definitions/fleet.hpp"
#include "builder/definitions/json_source.hpp"

namespace kiln {

void Mistakes::of(const std::function<void()>& check) {
  try {
    check();
  } catch (const Error& error) {
    if (error.category() != Category::usage) throw;
    add(problems_of(error));
  }
}

void Mistakes::add(const std::vector<std::string>& problems) {
  for (const std::string& problem : problems) {
    if (std::find(problems_.begin(), problems_.end(), problem) == problems_.end()) problems_.push_back(problem);
  }
}

void Mistakes::refuse(const std::vector<const TargetSpec*>& images) const {
  if (is_empty()) return;
  std::vector<std::string> all = problems_;
  for (std::string& problem : problems_among(images)) all.push_back(std::move(problem));
  throw error_of(all);
}

}  // namespace kiln

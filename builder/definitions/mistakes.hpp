#pragma once

#include <functional>
#include <string>
#include <vector>

#include "builder/definitions/target_spec.hpp"

namespace kiln {

// Mistakes that concern a whole folder of definitions, collected so that all of them are told at once.
class Mistakes {
 public:
  // Calls `check`, and keeps the problems of an Error{usage} that it throws.
  void of(const std::function<void()>& check);
  // Each is "FILE:LINE: ...", and is told once.
  void add(const std::vector<std::string>& problems);

  bool is_empty() const { return problems_.empty(); }
  // Where there are any: Error{usage} with these, and with the problems of the folder's images.
  void refuse(const std::vector<const TargetSpec*>& images) const;

 private:
  std::vector<std::string> problems_;
};

}  // namespace kiln

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

// The way of a path inside of a root folder, as a process finds it that has this folder for "/": empty components and
// "." are skipped, ".." leads to the parent and stops at the root, a symbolic link is replaced by what it says, and 40
// links are the most. What stands where is the caller's to know:
//
//   while (const auto name = steps.next()) {
//     // look up *name in the folder reached()
//     if (it is a link to follow) { if (!steps.follow(link)) refuse; } else { steps.enter(*name); }
//   }
class PathSteps {
 public:
  static constexpr int kMostLinks = 40;  // as Linux has it

  explicit PathSteps(std::string_view path) { put_first(path); }

  // The next component; nullopt at the end. Components that were entered may be left by "..", so reached() changes
  // here.
  std::optional<std::string> next();
  // Whether next() has nothing behind what it returned last; "." and "/" at the end are nothing.
  bool at_last() const { return rest_.empty(); }

  void enter(std::string name) { reached_.push_back(std::move(name)); }
  // Goes on with the text of a link instead of entering it; false for one link too many.
  [[nodiscard]] bool follow(std::string_view link);

  // The components entered, from the root.
  const std::vector<std::string>& reached() const noexcept { return reached_; }

 private:
  void put_first(std::string_view path);

  std::vector<std::string> rest_;  // the next one last
  std::vector<std::string> reached_;
  int links_ = 0;
};

}  // namespace kiln

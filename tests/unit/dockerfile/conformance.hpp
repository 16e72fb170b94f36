#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/file.hpp"

// The Dockerfile conformance tables: data that is no part of this repository. KILN_CONFORMANCE names their
// folder, else it is looked for beside the repository. A test that does not find them says so and is skipped.
namespace kiln::conformance {

// nullopt, with a line on the terminal that names the test, where the tables are not there.
std::optional<fs::path> folder(const std::string& test);

nlohmann::json table(const fs::path& path);

// Counts rows and keeps the ones that went wrong for the message.
class Score {
 public:
  explicit Score(std::string name) : name_(std::move(name)) {}
  void row(bool passed, const std::string& what);
  int passed() const { return passed_; }
  int total() const { return total_; }
  // Prints "NAME: 12 of 13".
  ~Score();

 private:
  std::string name_;
  int passed_ = 0;
  int total_ = 0;
};

}  // namespace kiln::conformance

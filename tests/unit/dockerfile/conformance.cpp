#include "tests/unit/dockerfile/conformance.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "base/process.hpp"

namespace kiln::conformance {

std::optional<fs::path> folder(const std::string& test) {
  const auto named = environment_variable("KILN_CONFORMANCE");
  const fs::path path = named ? fs::path(*named) : fs::path(KILN_SOURCE_DIR) / ".." / "shared" / "conformance";
  if (fs::exists(path / "README.md")) return path;
  fmt::print("SKIPPED {}: no conformance tables at '{}' (KILN_CONFORMANCE names their folder)\n", test,
             path.lexically_normal().string());
  return std::nullopt;
}

nlohmann::json table(const fs::path& path) { return nlohmann::json::parse(read_file(path)); }

void Score::row(bool passed, const std::string& what) {
  ++total_;
  passed_ += passed ? 1 : 0;
  CHECK_MESSAGE(passed, name_ << ": " << what);
}

Score::~Score() { fmt::print("{}: {} of {}\n", name_, passed_, total_); }

}  // namespace kiln::conformance

#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace kiln::test {

// Compares a text with the golden file; with KILN_GOLDEN_UPDATE set it writes the file instead, and the change shows
// in the diff of the repository.
inline void check_golden(const std::filesystem::path& file, const std::string& text) {
  if (std::getenv("KILN_GOLDEN_UPDATE") != nullptr) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    return;
  }
  INFO("golden file " << file.string() << "; KILN_GOLDEN_UPDATE=1 writes it anew");
  std::ifstream stream(file, std::ios::binary);
  REQUIRE(stream);
  std::ostringstream expected;
  expected << stream.rdbuf();
  CHECK(text == expected.str());
}

}  // namespace kiln::test

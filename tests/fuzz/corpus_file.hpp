#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace kiln::fuzz {

// tests/fuzz/corpus/TARGET.inputs: the kept inputs of a target in one file, for there are thousands of them. Each is
//
//   SIZE "\n" BYTES "\n"
//
// in the order of their bytes, so that the file says what changed. Throws std::runtime_error for a file that is
// something else; a file that is not there holds nothing.
std::vector<std::string> read_corpus(const std::filesystem::path& file);
void write_corpus(const std::filesystem::path& file, std::vector<std::string> inputs);

std::string read_input(const std::filesystem::path& file);

}  // namespace kiln::fuzz

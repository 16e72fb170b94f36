#include "tests/fuzz/corpus_file.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace kiln::fuzz {

std::vector<std::string> read_corpus(const std::filesystem::path& file) {
  std::vector<std::string> inputs;
  if (!std::filesystem::exists(file)) return inputs;
  std::ifstream in(file, std::ios::binary);
  std::size_t size = 0;
  while (in >> size) {
    std::string input(size, '\0');
    in.get();
    in.read(input.data(), static_cast<std::streamsize>(size));
    if (!in || in.get() != '\n') throw std::runtime_error("no corpus: " + file.string());
    inputs.push_back(std::move(input));
  }
  if (!in.eof()) throw std::runtime_error("no corpus: " + file.string());
  return inputs;
}

void write_corpus(const std::filesystem::path& file, std::vector<std::string> inputs) {
  std::sort(inputs.begin(), inputs.end());
  std::ofstream out(file, std::ios::binary);
  for (const std::string& input : inputs) out << input.size() << '\n' << input << '\n';
  if (!out.flush()) throw std::runtime_error("cannot write " + file.string());
}

std::string read_input(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace kiln::fuzz

#include <fmt/format.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <fstream>

#include "tests/fuzz/corpus_file.hpp"
#include "tests/fuzz/fuzz.hpp"

// The targets as libFuzzer executables. Beside what libFuzzer understands (https://llvm.org/docs/LibFuzzer.html) they
// have two commands, for script/fuzz:
//
//   NAME_fuzz unpack CORPUS FOLDER   writes the seeds and what CORPUS holds into FOLDER, and the words into FOLDER.dict
//   NAME_fuzz pack FOLDER CORPUS     writes what FOLDER holds into CORPUS
//
// and KILN_FUZZ_SECONDS is how much time of a processor a run may take; libFuzzer itself only knows the clock on the
// wall.
namespace kiln::fuzz {

namespace {

std::string dictionary_line(std::string_view word) {
  std::string text;
  for (const char c : word) text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return fmt::format("\"{}\"\n", text);
}

void unpack(const std::filesystem::path& corpus, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  std::vector<std::string> inputs = seeds();
  for (std::string& input : read_corpus(corpus)) inputs.push_back(std::move(input));
  std::size_t number = 0;
  for (const std::string& input : inputs)
    std::ofstream(folder / fmt::format("kept-{:05}", number++), std::ios::binary) << input;
  std::ofstream dictionary(folder.string() + ".dict");
  // libFuzzer takes no word above this size.
  constexpr std::size_t kLongest = 64;
  for (const std::string& word : words())
    if (!word.empty() && word.size() <= kLongest) dictionary << dictionary_line(word);
}

void pack(const std::filesystem::path& folder, const std::filesystem::path& corpus) {
  std::vector<std::string> inputs;
  for (const auto& item : std::filesystem::directory_iterator(folder)) inputs.push_back(read_input(item.path()));
  write_corpus(corpus, std::move(inputs));
}

void stop_after_its_time() {
  static const char* const value = std::getenv("KILN_FUZZ_SECONDS");
  static const std::clock_t end = value ? std::strtol(value, nullptr, 10) * CLOCKS_PER_SEC : 0;
  static unsigned runs = 0;
  constexpr unsigned kRunsBetweenLooks = 16;
  // libFuzzer ends with its statistics at this signal.
  if (end != 0 && ++runs % kRunsBetweenLooks == 0 && std::clock() > end) std::raise(SIGUSR1);
}

}  // namespace

void require(bool condition, const char* message) {
  if (condition) return;
  fmt::print(stderr, "finding: {}\n", message);
  std::abort();
}

}  // namespace kiln::fuzz

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  const std::vector<std::string> words(*argv, *argv + *argc);
  if (words.size() != 4 || (words[1] != "unpack" && words[1] != "pack")) return 0;
  (words[1] == "unpack" ? kiln::fuzz::unpack : kiln::fuzz::pack)(words[2], words[3]);
  std::exit(0);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kiln::fuzz::stop_after_its_time();
  try {
    kiln::fuzz::fuzz_one({reinterpret_cast<const char*>(data), size});
  } catch (const std::exception& error) {
    kiln::fuzz::require(false, error.what());
  }
  return 0;
}

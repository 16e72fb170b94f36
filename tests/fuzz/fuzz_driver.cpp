#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <random>

#include "tests/fuzz/corpus_file.hpp"
#include "tests/fuzz/fuzz.hpp"

// A fuzzer for compilers without libFuzzer: seeds and words of the language, mutated by a seeded generator,
// so that the same seed makes the same inputs everywhere. An input that breaks something is printed before
// the program ends.
//
//   NAME_fuzz [CORPUS.inputs]    mutations of the seeds and of what the corpus holds
//   NAME_fuzz FILE...            runs the files alone (to repeat a finding)
//   KILN_FUZZ_SECONDS=60         by time instead of by rounds
//   KILN_FUZZ_SEED=7             another sequence
namespace kiln::fuzz {

namespace {

std::string current;
std::uint64_t seed_used = 0;

class Mutator {
 public:
  Mutator(std::uint64_t seed, std::vector<std::string> seeds)
      : random_(seed), seeds_(std::move(seeds)), words_(words()) {}

  std::string next() {
    std::string text = pick(seeds_);
    const std::size_t changes = 1 + below(8);
    for (std::size_t i = 0; i < changes; ++i) change(text);
    constexpr std::size_t kLargest = 1 << 14;
    if (text.size() > kLargest) text.resize(kLargest);
    return text;
  }

 private:
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : static_cast<std::size_t>(random_() % bound); }
  const std::string& pick(const std::vector<std::string>& from) { return from[below(from.size())]; }

  void change(std::string& text) {
    const std::size_t at = below(text.size() + 1);
    switch (below(7)) {
      case 0:
        text.insert(at, pick(words_));
        break;
      case 1:
        text.insert(at, 1, static_cast<char>(below(256)));
        break;
      case 2:
        text.erase(at, 1 + below(12));
        break;
      case 3:
        if (at < text.size()) text[at] = static_cast<char>(below(256));
        break;
      case 4:
        text.insert(below(text.size() + 1), text.substr(at, below(40)));
        break;
      case 5:
        text += pick(seeds_);
        break;
      default: {
        std::string repeated;
        const std::string& word = pick(words_);
        for (std::size_t n = below(300); n != 0; --n) repeated += word;
        text.insert(at, repeated);
      }
    }
  }

  std::mt19937_64 random_;
  std::vector<std::string> seeds_;
  std::vector<std::string> words_;
};

void run(std::string_view input) {
  current = input;
  fuzz_one(input);
}

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* value = std::getenv(variable);
  return value ? std::strtoull(value, nullptr, 10) : otherwise;
}

[[noreturn]] void found(const char* what) {
  std::ofstream("fuzz-finding", std::ios::binary) << current;
  fmt::print(stderr, "finding: {} (KILN_FUZZ_SEED={}); the input of {} bytes is in ./fuzz-finding\n", what, seed_used,
             current.size());
  std::signal(SIGABRT, SIG_DFL);
  std::abort();
}

// A library's assertion.
void on_abort(int) { found("it was aborted"); }

}  // namespace

void require(bool condition, const char* message) {
  if (!condition) found(message);
}

int main_of_driver(int argc, char** argv) {
  std::signal(SIGABRT, on_abort);
  try {
    std::vector<std::string> kept = seeds();
    for (int i = 1; i < argc; ++i) {
      const std::filesystem::path file = argv[i];
      if (file.extension() != ".inputs") {
        run(read_input(file));
        if (i + 1 == argc) return 0;
        continue;
      }
      for (std::string& input : read_corpus(file)) kept.push_back(std::move(input));
    }
    for (const std::string& input : kept) run(input);
    const std::uint64_t seconds = number_from("KILN_FUZZ_SECONDS", 0);
    const std::uint64_t seed = number_from("KILN_FUZZ_SEED", 1);
    seed_used = seed;
    constexpr std::uint64_t kRounds = 3000;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    Mutator mutator(seed, std::move(kept));
    std::uint64_t rounds = 0;
    while (seconds != 0 ? std::chrono::steady_clock::now() < end : rounds < kRounds) {
      run(mutator.next());
      ++rounds;
    }
    fmt::print("KILN_FUZZ_SEED={}: {} rounds, nothing found\n", seed, rounds);
  } catch (const std::exception& error) {
    found(error.what());
  }
  return 0;
}

}  // namespace kiln::fuzz

int main(int argc, char** argv) { return kiln::fuzz::main_of_driver(argc, argv); }

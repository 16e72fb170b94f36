#include "builder/cli/output/memory_marks.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdio>

#include "base/held_bytes.hpp"
#include "base/text.hpp"

namespace kiln::cli {

namespace {

// Linux counts in KiB; see getrusage(2).
std::uint64_t peak_of(int whom) {
  rusage usage{};
  ::getrusage(whom, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace

void print_memory_marks() {
  fmt::print(stderr, "memory: {} at most, {} in the largest child\n", human_bytes(peak_of(RUSAGE_SELF)),
             human_bytes(peak_of(RUSAGE_CHILDREN)));
  for (const HeldMark& mark : held_marks()) {
    fmt::print(stderr, "  {:<14} {:>9} at most\n", to_string(mark.owner), human_bytes(mark.most));
  }
}

}  // namespace kiln::cli

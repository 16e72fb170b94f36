#include "builder/cli/progress/kept_output.hpp"

#include <doctest/doctest.h>

using kiln::KeptOutput;

TEST_CASE("kept lines come back behind a prefix, in their order") {
  KeptOutput kept;
  CHECK(kept.empty());
  kept.add("one");
  kept.add("");
  kept.add("three");
  CHECK(kept.text("#7 ") == "#7 one\n#7 \n#7 three\n");
  CHECK(kept.forgotten() == 0);
  kept.clear();
  CHECK(kept.empty());
}

TEST_CASE("of too many lines the first are forgotten and counted") {
  KeptOutput kept;
  const std::string mebibyte((1 << 20) - 1, 'x');
  for (int i = 0; i < 18; ++i) kept.add(mebibyte);
  kept.add("last");
  CHECK(kept.bytes() <= KeptOutput::kMostBytes);
  CHECK(kept.forgotten() == 3);
  CHECK(kept.text("").ends_with("x\nlast\n"));
}

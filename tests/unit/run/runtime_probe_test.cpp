#include "builder/run/runtime_probe.hpp"

#include <doctest/doctest.h>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "builder/run/boot_id.hpp"
#include "container_fixture.hpp"

using namespace kiln;

TEST_CASE("an answer is remembered for one boot, one user and one program") {
  const TempDir folder;
  const fs::path program = folder.path() / "runc";
  write_file_atomically(program, "first", Durability::ephemeral, 0755);
  const Runtime runtime{program, false};
  const std::string text = serialise_probe(runtime, "boot-1");
  CHECK(parse_probe(text, "boot-1") == runtime);
  CHECK_FALSE(parse_probe(text, "boot-2"));
  write_file_atomically(program, "another one", Durability::ephemeral, 0755);
  CHECK_FALSE(parse_probe(text, "boot-1"));
  fs::remove(program);
  CHECK_FALSE(parse_probe(text, "boot-1"));
}

TEST_CASE("an answer that is cut or no answer is not believed") {
  const TempDir folder;
  const fs::path program = folder.path() / "runc";
  write_file_atomically(program, "x", Durability::ephemeral, 0755);
  const std::string text = serialise_probe({program, true}, "boot");
  REQUIRE(parse_probe(text, "boot"));
  for (std::size_t size = 0; size < text.size(); ++size) CHECK_FALSE(parse_probe(text.substr(0, size), "boot"));
  CHECK_FALSE(parse_probe(text + "more\n", "boot"));
}

TEST_CASE("the boot has a name that stays") {
  CHECK(boot_id().size() == 36);
  CHECK(boot_id() == boot_id());
}

TEST_CASE("a machine that runs containers passes every check, and the answer is kept") {
  KILN_NEEDS_CONTAINERS();
  const TempDir folder;
  const HomeLayout home = HomeLayout::open(folder.path() / "home");
  RuntimeProbe probe(kiln::testing::runner(), home);
  const auto checks = probe.check();
  REQUIRE(checks.size() == 4);
  for (const MachineCheck& check : checks) {
    CHECK_MESSAGE(check.state == CheckState::ok, check.name << ": " << check.finding);
    CHECK_FALSE(check.finding.empty());
  }
  const Runtime found = probe.find();
  CHECK(parse_probe(read_file(home.root() / "runtime/probe"), boot_id()) == found);
  CHECK(probe.find() == found);
}

TEST_CASE("a home on an overlay is refused with what helps") {
  KILN_NEEDS_CONTAINERS();
  // The host's view of a home that a worker cannot mount on: its snapshots folder is gone.
  const TempDir folder;
  const HomeLayout home = HomeLayout::open(folder.path() / "home");
  fs::remove_all(home.snapshots());
  try {
    RuntimeProbe(kiln::testing::runner(), home).find();
    FAIL("it was found");
  } catch (const Error& error) {
    CHECK(error.category() == Category::machine);
    CHECK(error.message().find("(overlay)") != std::string::npos);
    CHECK(error.message().find("KILN_HOME") != std::string::npos);
  }
}

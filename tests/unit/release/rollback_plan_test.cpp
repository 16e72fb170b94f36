#include "builder/release/rollback_plan.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "tests/support/check_error.hpp"
#include "tests/unit/release/sample_plan.hpp"

using namespace kiln;

TEST_CASE("a plan is read as it was written") {
  CHECK(parse_rollback_plan(to_json_text(sample_plan()), "plan") == sample_plan());
}

TEST_CASE("what is no plan is refused by name") {
  for (const std::string text : {"{}", "[]", R"({"schema_version": 2})", "no json"}) {
    CAPTURE(text);
    try {
      parse_rollback_plan(text, "the-plan");
      FAIL("expected an error");
    } catch (const Error& error) {
      CHECK(error.category() == Category::machine);
      CHECK(error.message().find("the-plan") != std::string::npos);
    }
  }
}

TEST_CASE("a journal keeps a plan until it ended, for its owner's eyes") {
  TempDir folder;
  const fs::path rollbacks = folder.path() / "rollbacks";
  {
    const RollbackJournal journal(rollbacks, folder.path() / "lock");
    CHECK_FALSE(journal.current());
    journal.write(sample_plan());
    struct stat info {};
    REQUIRE(::stat(journal.current_file().c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
  }
  const RollbackJournal journal(rollbacks, folder.path() / "lock");
  REQUIRE(journal.current());
  CHECK(*journal.current() == sample_plan());
  RollbackPlan ended = sample_plan();
  ended.state = RollbackPlan::State::undone;
  journal.write(ended);
  CHECK_FALSE(journal.current());
  CHECK(list_directory(rollbacks) == std::vector<std::string>{"2026-11-20T120000Z-v1.json"});
}

TEST_CASE("a journal forgets all but the last twenty rollbacks") {
  TempDir folder;
  const RollbackJournal journal(folder.path() / "rollbacks", folder.path() / "lock");
  RollbackPlan ended = sample_plan();
  ended.state = RollbackPlan::State::done;
  for (int i = 10; i < 35; ++i) {
    ended.created = "2026-11-20T12:00:" + std::to_string(i) + "Z";
    journal.write(ended);
  }
  const auto names = list_directory(folder.path() / "rollbacks");
  CHECK(names.size() == 20);
  CHECK(names.front() == "2026-11-20T120015Z-v1.json");
}

TEST_CASE("two journals of one home are never open at once") {
  TempDir folder;
  const RollbackJournal journal(folder.path() / "rollbacks", folder.path() / "lock");
  CHECK_ERROR(RollbackJournal(folder.path() / "rollbacks", folder.path() / "lock"), Category::usage,
              "another 'kiln rollback' is at work in this home; wait for it to end");
}

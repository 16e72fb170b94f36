#include "builder/definitions/select.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"
#include "tests/unit/definitions/support/folder.hpp"

using kiln::matches_glob;
using kiln::select_targets;

namespace {

kiln::Fleet fleet() {
  kiln::Fleet fleet;
  for (const char* name : {"mainpc", "pc2"}) fleet.profiles[name].name = name;
  const auto add = [&](const char* name, const char* profile) {
    kiln::TargetSpec target;
    target.name = name;
    if (profile != nullptr) target.profile = fleet.profiles[profile];
    fleet.targets.push_back(target);
  };
  add("base", nullptr);
  add("hub-mainpc", "mainpc");
  add("hub-pc2", "pc2");
  add("solo-pc2", "pc2");
  fleet.groups = {{"default", {"base", "hub", "solo"}}, {"hub", {"hub-mainpc", "hub-pc2"}}, {"solo", {"solo-pc2"}}};
  return fleet;
}

std::string names(const std::vector<std::string>& wanted, const std::vector<std::string>& profiles = {}) {
  const kiln::Fleet all = fleet();
  std::string result;
  for (const auto* target : select_targets(all, wanted, profiles)) result += target->name + " ";
  return result;
}

std::string refusal(const std::vector<std::string>& wanted, const std::vector<std::string>& profiles = {}) {
  try {
    names(wanted, profiles);
  } catch (const kiln::Error& error) {
    CHECK(error.category() == kiln::Category::usage);
    return error.message();
  }
  return "";
}

}  // namespace

TEST_CASE("nothing named means the default group") { CHECK(names({}) == "base hub-mainpc hub-pc2 solo-pc2 "); }

TEST_CASE("targets, images, groups and globs can be named, each target comes once") {
  CHECK(names({"hub-pc2"}) == "hub-pc2 ");
  CHECK(names({"hub", "hub-pc2", "base"}) == "base hub-mainpc hub-pc2 ");
  CHECK(names({"*-pc2"}) == "hub-pc2 solo-pc2 ");
  CHECK(names({"hu?"}) == "hub-mainpc hub-pc2 ");
}

TEST_CASE("profiles leave out the targets of others, and keep those without") {
  CHECK(names({}, {"pc2"}) == "base hub-pc2 solo-pc2 ");
  CHECK(names({}, {"pc2", "mainpc"}) == "base hub-mainpc hub-pc2 solo-pc2 ");
  CHECK(refusal({"solo"}, {"mainpc"}) == "'solo' is not baked for the profile 'mainpc'; its targets: solo-pc2");
}

TEST_CASE("unknown names are answered with the nearest") {
  CHECK(refusal({"hubb"}) == "unknown target 'hubb'; did you mean 'hub'?");
  CHECK(refusal({"x*"}).find("no target matches 'x*'") == 0);
  CHECK(refusal({}, {"pc3"}) == "unknown profile 'pc3'; did you mean 'pc2'?");
}

TEST_CASE("a profile that is there and cannot be read is not called unknown") {
  const kiln::test::Folder folder({{"pc3.json", "{"}});
  kiln::Fleet all = fleet();
  all.settings.profiles_folder = folder.path();
  CHECK_ERROR(select_targets(all, {}, {"pc3"}), kiln::Category::usage, "profile 'pc3' cannot be read, as said above");
  CHECK_ERROR(select_targets(all, {}, {"pc4"}), kiln::Category::usage, doctest::Contains("unknown profile 'pc4'"));
}

TEST_CASE("a group that contains itself is refused, one that has a target of its own name is not") {
  kiln::Fleet all = fleet();
  all.groups["a"] = {"b"};
  all.groups["b"] = {"a"};
  CHECK_ERROR(select_targets(all, {"a"}, {}), kiln::Category::usage, "group 'a' contains itself: a -> b -> a");
  all.groups["base"] = {"base", "hub-pc2"};
  CHECK(select_targets(all, {"base"}, {}).size() == 2);
}

TEST_CASE("globs match as Go's path.Match") {
  CHECK(matches_glob("*", ""));
  CHECK(matches_glob("a*c", "abbc"));
  CHECK(matches_glob("a*b*c", "aXbYbZc"));
  CHECK(matches_glob("[a-c]x[^0-9]", "bxz"));
  CHECK(matches_glob("\\*", "*"));
  CHECK(matches_glob("[\\]]", "]"));
  CHECK_FALSE(matches_glob("a*c", "abcd"));
  CHECK_FALSE(matches_glob("[^a]", "a"));
  CHECK_FALSE(matches_glob("?", ""));
  CHECK_FALSE(matches_glob("", "a"));
  for (const char* bad : {"[", "[]", "[a", "[a-", "[-a]", "a\\", "x[^]"}) {
    INFO(bad);
    CHECK_ERROR(matches_glob(bad, "x"), kiln::Category::usage, doctest::Contains("is no valid pattern"));
  }
}

TEST_CASE("a glob of many stars is decided in good time") {
  CHECK_FALSE(matches_glob("*a*a*a*a*a*a*a*a*a*a*a*a*b", std::string(2000, 'a')));
}

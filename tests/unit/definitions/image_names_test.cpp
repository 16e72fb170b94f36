#include "builder/definitions/image_names.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

#include "base/error.hpp"
#include "base/process.hpp"
#include "tests/support/check_error.hpp"
#include "tests/unit/definitions/support/folder.hpp"

using kiln::image_names;
using Texts = std::vector<std::string>;

namespace {

struct Warnings : kiln::Log {
  void info(std::string_view) override {}
  void debug(std::string_view) override {}
  void warn(std::string_view message) override { lines.emplace_back(message); }
  Texts lines;
};

kiln::Fleet fleet() {
  kiln::Fleet fleet;
  fleet.settings.registry = "ghcr.io";
  fleet.settings.image_namespace = "acme";
  return fleet;
}

kiln::TargetSpec target(const char* profile = nullptr) {
  kiln::TargetSpec target;
  target.name = target.image = "hub";
  target.tag_templates = {"{date}-{git}", "latest"};
  if (profile != nullptr) {
    target.profile.emplace();
    target.profile->name = profile;
  }
  return target;
}

const kiln::NameValues kValues = {"", "20250131", "0123456789ab"};

}  // namespace

TEST_CASE("a repository for each profile, none of it without") {
  CHECK(image_names(fleet(), target("pc2"), kValues) ==
        Texts{"ghcr.io/acme/hub-pc2:20250131-0123456789ab", "ghcr.io/acme/hub-pc2:latest"});
  CHECK(image_names(fleet(), target(), kValues) ==
        Texts{"ghcr.io/acme/hub:20250131-0123456789ab", "ghcr.io/acme/hub:latest"});
}

TEST_CASE("without a checkout tags that name the commit are left out") {
  CHECK(image_names(fleet(), target(), {"", "20250131", std::nullopt}) == Texts{"ghcr.io/acme/hub:latest"});
}

TEST_CASE("another registry takes the place of registry and namespace") {
  CHECK(image_names(fleet(), target("pc2"), {"localhost:5000/test/", "1", "2"}) ==
        Texts{"localhost:5000/test/hub-pc2:1-2", "localhost:5000/test/hub-pc2:latest"});
  CHECK(image_names(fleet(), target(), {"127.0.0.1:5000", "1", "2"}).front() == "127.0.0.1:5000/hub:1-2");
}

TEST_CASE("literal tags of bake files are read as docker reads them, and keep their last name elsewhere") {
  kiln::TargetSpec bake;
  bake.name = "app";
  bake.tags = {"app", "ghcr.io/acme/deep/app:1", "ghcr.io/acme/deep/app:1"};
  CHECK(image_names(kiln::Fleet{}, bake, {}) == Texts{"docker.io/library/app:latest", "ghcr.io/acme/deep/app:1"});
  CHECK(image_names(kiln::Fleet{}, bake, {"localhost:5000/x", "", {}}) ==
        Texts{"localhost:5000/x/app:latest", "localhost:5000/x/app:1"});
  bake.tags.clear();
  CHECK(image_names(kiln::Fleet{}, bake, {}).empty());
}

TEST_CASE("names that are none are refused") {
  kiln::TargetSpec bad = target();
  bad.tag_templates = {"{dat}"};
  CHECK_ERROR(image_names(fleet(), bad, kValues), kiln::Category::usage, doctest::Contains("did you mean 'date'?"));
  bad.tag_templates = {"a b"};
  CHECK_ERROR(image_names(fleet(), bad, kValues), kiln::Category::usage, doctest::Contains("'a b' is not a tag"));
  CHECK_ERROR(image_names(fleet(), target(), {"acme/test", "1", "2"}), kiln::Category::usage,
              doctest::Contains("'acme/test' is no registry"));
  CHECK_ERROR(image_names(fleet(), target(), {"localhost:5000/UPPER", "1", "2"}), kiln::Category::usage,
              doctest::Contains("a repository must be lower case, in the registry 'localhost:5000/UPPER'"));
}

TEST_CASE("a name that an image is to get holds no digest, whether a flag or a bake file gives it") {
  kiln::TargetSpec named;
  for (const char* target_name : {"", "app"}) {
    named.name = target_name;
    for (const char* prefix : {"ghcr.io/acme/app:1@sha256:", "ghcr.io/acme/app@sha256:"}) {
      named.tags = {prefix + std::string(64, '0')};
      CHECK_ERROR(image_names(kiln::Fleet{}, named, {}), kiln::Category::usage,
                  doctest::Contains("a name that an image is to get holds no digest, which the image decides; write "
                                    "'ghcr.io/acme/app:"));
    }
  }
}

TEST_CASE("git is asked only where a tag names the commit") {
  const kiln::TargetSpec with = target();
  kiln::TargetSpec without = target();
  without.tag_templates = {"{date}"};
  CHECK(kiln::uses_git({&without, &with}));
  CHECK_FALSE(kiln::uses_git({&without}));
}

TEST_CASE("dates are those of UTC") {
  CHECK(kiln::date_for_tags(0) == "19700101");
  CHECK(kiln::date_for_tags(1738367999) == "20250131");
}

TEST_CASE("the commit of a checkout is its first twelve digits; elsewhere there is a warning") {
  const kiln::test::Folder folder({{"f", "x"}});
  Warnings warnings;
  CHECK_FALSE(kiln::git_commit_of(folder.path(), {}, warnings));
  REQUIRE(warnings.lines.size() == 1);
  CHECK(warnings.lines[0].find("tags with {git} are left out: ") == 0);
  if (!kiln::find_program("git")) {
    MESSAGE("skipped: the program git is not installed");
    return;
  }
  const auto git = [&](Texts words) {
    Texts argv = {"git", "-C", folder.path().string(), "-c", "user.name=a", "-c", "user.email=a@b"};
    argv.insert(argv.end(), words.begin(), words.end());
    return kiln::run_command({argv, {}, {}, {}}, {});
  };
  REQUIRE(git({"init", "-q"}).exit_code == 0);
  CHECK_FALSE(kiln::git_commit_of(folder.path(), {}, warnings));
  git({"add", "f"});
  REQUIRE(git({"commit", "-q", "-m", "m"}).exit_code == 0);
  const auto commit = kiln::git_commit_of(folder.path(), {}, warnings);
  REQUIRE(commit);
  CHECK(*commit == git({"rev-parse", "HEAD"}).stdout_bytes.substr(0, 12));
}

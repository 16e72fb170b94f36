#include "builder/definitions/profile.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "builder/definitions/schema.hpp"
#include "tests/support/check_error.hpp"
#include "tests/unit/definitions/support/folder.hpp"

using kiln::load_profiles;
using kiln::Profile;
using Pairs = std::map<std::string, std::string>;

namespace {

Profile sample() {
  Profile profile;
  profile.name = "pc2";
  profile.values = {{"OMP_NUM_THREADS", "4"}, {"CUDA_ARCH", "8.6"}};
  return profile;
}

}  // namespace

TEST_CASE("a profile takes what it does not say from the one it extends") {
  const kiln::test::Folder folder(
      {{"base.json", R"({"OMP_NUM_THREADS": "4", "CUDA_ARCH": "8.6", "machine": {"cores": 8, "vram": "12GB"}})"},
       {"big.json", R"({"extends": "base", "OMP_NUM_THREADS": "16", "machine": {"vram": "24 GB", "gpu": "RTX 4090"}})"},
       {"schema.json", "not a profile"},
       {"notes.txt", "neither"}});
  const auto profiles = load_profiles(folder.path(), kiln::profile_schema());
  REQUIRE(profiles.size() == 2);
  const Profile& big = profiles.at("big");
  CHECK(big.values == Pairs{{"OMP_NUM_THREADS", "16"}, {"CUDA_ARCH", "8.6"}});
  CHECK(big.machine.cores == 8);
  CHECK(big.machine.vram_bytes == 24'000'000'000);
  CHECK(big.machine.gpu == "RTX 4090");
  CHECK(profiles.at("base").machine.vram_bytes == 12'000'000'000);
}

TEST_CASE("the environment holds what the libraries read beside each value, sorted") {
  const kiln::test::Folder folder(
      {{"a.json",
        R"({"TORCH_CUDA_ALLOC_CONF": "max_split_size_mb:64", "GPU_VISIBLE_DEVICES": "0,1", "CUDA_ARCH": "8.9"})"}});
  const auto env = load_profiles(folder.path(), kiln::profile_schema()).at("a").env;
  CHECK(env == std::vector<std::pair<std::string, std::string>>{{"CUDA_ARCH", "8.9"},
                                                                {"CUDA_VISIBLE_DEVICES", "0,1"},
                                                                {"GPU_VISIBLE_DEVICES", "0,1"},
                                                                {"PYTORCH_CUDA_ALLOC_CONF", "max_split_size_mb:64"},
                                                                {"TORCH_CUDA_ALLOC_CONF", "max_split_size_mb:64"}});
}

TEST_CASE("a schema of one's own brings its own keys") {
  const kiln::test::Folder folder({{"a.json", R"({"FAN_SPEED": 7})"}});
  const auto schema = kiln::JsonSchema::parse(
      R"({"properties": {"FAN_SPEED": {"type": "integer", "x-kiln-sets": ["FANS"]}}, "additionalProperties": false})",
      "s");
  const Profile profile = load_profiles(folder.path(), schema).at("a");
  CHECK(profile.values == Pairs{{"FAN_SPEED", "7"}});
  CHECK(profile.env.size() == 2);
  CHECK_ERROR(load_profiles(folder.path(), kiln::profile_schema()), kiln::Category::usage,
              doctest::Contains("/a.json:1: unknown key 'FAN_SPEED'; known: CUDA_ARCH, "));
}

TEST_CASE("a folder that is not there holds no profiles") {
  CHECK(load_profiles("/nowhere/at/all", kiln::profile_schema()).empty());
}

TEST_CASE("a profile's file name has to be a name") {
  const kiln::test::Folder folder({{"a b.json", "{}"}});
  CHECK_ERROR(load_profiles(folder.path(), kiln::profile_schema()), kiln::Category::usage,
              doctest::Contains("/a b.json: a profile's name holds letters, digits, '-' and '_' only"));
}

TEST_CASE("build arguments are the values, the machine, and the values as one sorted line") {
  CHECK(kiln::profile_build_args(sample()) ==
        Pairs{{"CUDA_ARCH", "8.6"},
              {"OMP_NUM_THREADS", "4"},
              {"MACHINE", "pc2"},
              {"MACHINE_PROFILE", R"({"CUDA_ARCH":"8.6","OMP_NUM_THREADS":"4"})"}});
}

TEST_CASE("labels carry the profile's name and values") {
  CHECK(kiln::profile_labels(sample()) == Pairs{{"dev.kiln.profile", "pc2"},
                                                {"dev.kiln.profile.CUDA_ARCH", "8.6"},
                                                {"dev.kiln.profile.OMP_NUM_THREADS", "4"}});
}

TEST_CASE("a target's own arguments go over its profile's") {
  kiln::TargetSpec target;
  target.args = {{"CUDA_ARCH", "8.0"}, {"A", "x"}};
  CHECK(kiln::baked_args(target) == target.args);
  target.profile = sample();
  CHECK(kiln::baked_args(target).at("CUDA_ARCH") == "8.0");
  CHECK(kiln::baked_args(target).size() == 5);
}

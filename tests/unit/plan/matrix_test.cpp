#include "builder/plan/matrix.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

using namespace kiln;

namespace {

MatrixTarget target(const std::string& name, std::size_t wave, double seconds = 0,
                    const std::string& runner = "ubuntu-24.04") {
  MatrixTarget result;
  result.name = name;
  result.image = name;
  result.platform = "linux/amd64";
  result.runner = runner;
  result.wave = wave;
  result.seconds = seconds;
  result.inputs = "h-" + name;
  return result;
}

}  // namespace

TEST_CASE("each target is a row of its own while there are few") {
  std::vector<MatrixTarget> targets = {target("base", 0), target("b", 1, 9), target("a", 1, 30)};
  targets[2].parents = {"base=ghcr.io/acme/base@sha256:00"};
  const auto waves = matrix_rows(targets);
  REQUIRE(waves.size() == 2);
  REQUIRE(waves[1].size() == 2);
  const auto json = nlohmann::json::parse(matrix_json(waves[1]));
  CHECK(json["include"][0]["id"] == "wave1-01");
  CHECK(json["include"][0]["target"] == "a");
  CHECK(json["include"][0]["parents"] == "base=ghcr.io/acme/base@sha256:00");
  CHECK(json["include"][0]["seconds"] == 30);
  CHECK(json["include"][1]["target"] == "b");
}

TEST_CASE("more targets than rows are dealt out by predicted time") {
  std::vector<MatrixTarget> targets;
  for (int i = 0; i < 300; ++i) targets.push_back(target(fmt::format("t{:03}", i), 0, i % 7 + 1));
  const auto waves = matrix_rows(targets);
  REQUIRE(waves.size() == 1);
  CHECK(waves[0].size() == kMaxMatrixRows);
  std::size_t count = 0;
  for (const MatrixRow& row : waves[0]) count += row.targets.size();
  CHECK(count == 300);

  const auto two =
      matrix_rows({target("a", 0, 10), target("b", 0, 6), target("c", 0, 5), target("d", 0)}, Profiles::together, 2);
  REQUIRE(two[0].size() == 2);
  CHECK(two[0][0].seconds == 15);  // a and c; d counts as the mean, 7
  CHECK(two[0][1].seconds == 13);
}

TEST_CASE("a job has targets of one runner only") {
  std::vector<MatrixTarget> targets;
  for (int i = 0; i < 9; ++i) targets.push_back(target(fmt::format("x{}", i), 0, 1));
  targets.push_back(target("arm", 0, 1, "ubuntu-24.04-arm"));
  const auto waves = matrix_rows(targets, Profiles::together, 3);
  CHECK(waves[0].size() <= 3);
  for (const MatrixRow& row : waves[0]) {
    const bool same = std::all_of(row.targets.begin(), row.targets.end(),
                                  [&](const MatrixTarget* each) { return each->runner == row.targets[0]->runner; });
    CHECK(same);
  }
}

TEST_CASE("profiles of one image are one job unless they are wanted apart") {
  std::vector<MatrixTarget> targets = {target("app-a", 0, 5), target("app-b", 0, 8)};
  targets[0].image = targets[1].image = "app";
  targets[0].profile = "a";
  targets[1].profile = "b";
  const auto waves = matrix_rows(targets);
  REQUIRE(waves[0].size() == 1);
  const auto json = nlohmann::json::parse(matrix_json(waves[0]));
  CHECK(json["include"][0]["target"] == "app-a app-b");
  CHECK(json["include"][0]["image"] == "app");
  CHECK(json["include"][0]["profile"] == "a b");
  CHECK(json["include"][0]["seconds"] == 8);
  CHECK(matrix_rows(targets, Profiles::apart)[0].size() == 2);
}

TEST_CASE("platforms of an image are jobs of their own, also on one runner, and so is their index") {
  std::vector<MatrixTarget> targets = {target("app", 0, 5), target("app", 0, 9), target("app", 1, 1)};
  targets[1].platform = "linux/386";
  targets[2].job = MatrixJob::index;
  targets[2].platform = "linux/amd64,linux/386";
  const auto waves = matrix_rows(targets);
  REQUIRE(waves.size() == 2);
  REQUIRE(waves[0].size() == 2);
  const auto builds = nlohmann::json::parse(matrix_json(waves[0]))["include"];
  CHECK(builds[0]["command"] == "bake");
  CHECK(builds[0]["platform"] == "linux/386");
  CHECK(builds[0]["seconds"] == 9);
  CHECK(builds[1]["platform"] == "linux/amd64");
  const auto indexes = nlohmann::json::parse(matrix_json(waves[1]))["include"];
  REQUIRE(indexes.size() == 1);
  CHECK(indexes[0]["command"] == "index");
  CHECK(indexes[0]["target"] == "app");
  CHECK(indexes[0]["platform"] == "linux/amd64,linux/386");
}

TEST_CASE("without waves there is a row for each platform, whatever the wave of its targets") {
  std::vector<MatrixTarget> targets = {target("base", 0, 5), target("app", 1, 2), target("base", 0), target("base", 1)};
  targets[2].platform = "linux/arm64";
  targets[2].runner = "ubuntu-24.04-arm";
  targets[3].job = MatrixJob::index;
  const auto rows = nlohmann::json::parse(matrix_json(platform_rows(targets)))["include"];
  REQUIRE(rows.size() == 2);
  CHECK(rows[0]["target"] == "base app");
  CHECK(rows[0]["platform"] == "linux/amd64");
  CHECK(rows[0]["seconds"] == 7);
  CHECK(rows[1]["target"] == "base");
  CHECK(rows[1]["runner"] == "ubuntu-24.04-arm");
  CHECK(platform_rows({}).empty());
}

TEST_CASE("no targets are no waves, and no rows an empty matrix") {
  CHECK(matrix_rows({}).empty());
  CHECK(matrix_json({}) == R"({"include":[]})");
}

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/temp_dir.hpp"
#include "builder/definitions/definitions.hpp"
#include "builder/definitions/json_source.hpp"
#include "builder/definitions/policy_rules.hpp"
#include "builder/definitions/profile.hpp"
#include "builder/definitions/schema.hpp"
#include "builder/definitions/select.hpp"
#include "tests/fuzz/attempt.hpp"

// images/fleet.json with its policy, one image.json and one profile: three texts, each behind a line "====". What the
// schemas allow is loaded from a folder.
namespace kiln::fuzz {

namespace {

struct Texts {
  std::string fleet, image, profile;
};

Texts texts_of(std::string_view input) {
  constexpr std::string_view kNext = "\n====\n";
  Texts texts;
  for (std::string* text : {&texts.fleet, &texts.image, &texts.profile}) {
    const std::size_t at = input.find(kNext);
    *text = input.substr(0, at);
    input = at == std::string_view::npos ? std::string_view() : input.substr(at + kNext.size());
  }
  return texts;
}

bool is_allowed(const std::string& text, const char* name, const JsonSchema& schema) {
  return may_refuse(Category::usage, [&] { JsonSource(name, text).parse(schema); });
}

// The system refuses names that are too long for it.
std::optional<Fleet> load_fleet(const fs::path& folder, BrokenImages broken) {
  try {
    return load_definitions(folder / "images", broken);
  } catch (const Error& error) {
    if (error.category() != Category::machine || error.message().find("too long") == std::string::npos) throw;
    return std::nullopt;
  }
}

void load(const fs::path& folder, BrokenImages broken) {
  may_refuse(Category::usage, [&] {
    const std::optional<Fleet> loaded = load_fleet(folder, broken);
    if (!loaded) return;
    const Fleet& fleet = *loaded;
    require(broken == BrokenImages::set_aside || problems_among(all_targets(fleet)).empty(),
            "a fleet with problems was loaded");
    for (const TargetSpec& target : fleet.targets) {
      require(fleet.find(target.name) == &target, "a target is not found by its name");
      if (!target.problems.empty()) continue;
      baked_args(target);
      baseline_target(target);
    }
    may_refuse(Category::usage, [&] { select_targets(fleet, {"*"}, {}); });
  });
}

}  // namespace

void fuzz_one(std::string_view input) {
  const Texts texts = texts_of(input);
  const bool is_whole = is_allowed(texts.fleet, "fleet.json", fleet_schema());
  const bool is_image = is_allowed(texts.image, "image.json", image_schema());
  is_allowed(texts.profile, "profile.json", profile_schema());
  if (!is_whole || !is_image) return;
  static const TempDir folder;
  static const fs::path image = [] {
    const fs::path made = folder.path() / "images" / "app";
    fs::create_directories(made);
    fs::create_directories(folder.path() / "profiles");
    write_file_atomically(made / "Dockerfile", "FROM scratch\n", Durability::ephemeral);
    return made;
  }();
  write_file_atomically(folder.path() / "images" / "fleet.json", texts.fleet, Durability::ephemeral);
  write_file_atomically(image / "image.json", texts.image, Durability::ephemeral);
  write_file_atomically(folder.path() / "profiles" / "pc.json", texts.profile, Durability::ephemeral);
  load(folder.path(), BrokenImages::refused);
  load(folder.path(), BrokenImages::set_aside);
}

std::vector<std::string> seeds() {
  const std::string fleet =
      R"({"registry":"ghcr.io","namespace":"acme","platform":"linux/amd64","compression":"gzip","repository":"{image}-{profile}",)"
      R"("tags":["{date}-{git}","latest"],"profiles":["pc"],"profiles_folder":"../profiles","lock":"kiln.lock",)"
      R"("targets":{"reduction_pct":{"min":55,"max":70},"cache_hit_pct":70,"build_seconds":300},)"
      R"("retention":{"last":10,"daily":7,"weekly":4,"monthly":3},"groups":{"cpu":["app"]}})";
  const std::string policy =
      R"({"registry":"ghcr.io","namespace":"acme","policy":{"base_source":{"allow":["docker.io/library/*"]},"base_digest":{"level":"warn"},)"
      R"("base_age":{"days":30},"run_network":{"allow":[{"image":"a*","command":"pip *"}]},)"
      R"("packages":{"forbid":[{"package":"pkg:pypi/urllib3","versions":"<2.0.7","reason":"x"}]},)"
      R"("licences":{"forbid":["GPL-*"],"except":["pkg:deb/bash"]},"user":{},"healthcheck":{},"size":{"max":"100MB"}}})";
  const std::string image =
      R"({"kind":"service","device":"cpu","profiles":["pc"],"limits":{"size":"130MB"},"baseline":{"reference":"a/b:1"},)"
      R"("args":{"A":"b"},"layers":{"by":"package"},"compression":"zstd"})";
  const std::string gpu =
      R"({"kind":"base","device":"gpu","default":false,"cuda":{"version":"12.1","arch":["8.6","8.9"]},)"
      R"("debian":{"suite":"bookworm","variant":"minbase","include":["bash"]},"dockerfile":"Dockerfile"})";
  const std::string profile =
      R"({"description":"d","machine":{"cores":8,"memory":"32GiB"},"OMP_NUM_THREADS":"4","CUDA_ARCH":"8.6"})";
  const std::string next = "\n====\n";
  return {fleet + next + image + next + profile, policy + next + gpu + next + profile,
          policy + next + image + next + "{}", "{}\n====\n{}\n====\n{}"};
}

std::vector<std::string> words() {
  return {"\n====\n",
          "\"registry\":",
          "\"policy\":{",
          "\"level\":\"deny\"",
          "\"images\":[\"*\"]",
          "\"forbid\":[",
          "\"except\":[",
          "\"allow\":[",
          "\"kind\":\"family\"",
          "\"device\":\"gpu\"",
          "\"profiles\":[",
          "\"extends\":\"pc\"",
          "\"groups\":{",
          "\"default\":",
          "{image}",
          "{profile}",
          "{date}",
          "{git}",
          "\"cuda\":{",
          "\"arch\":[",
          "+PTX",
          "\"debian\":{",
          "\"context\":",
          "\"contexts\":{",
          "\"target\":",
          "\"tags\":[",
          "\"labels\":{",
          "\"secrets\":[",
          "\"platforms\":[",
          "\"cache_from\":[",
          "\"attestations\":[",
          "\"limits\":{",
          "\"baseline\":{",
          "zstd:19",
          "gzip:9",
          "pkg:deb/",
          "null",
          "{}",
          "[]",
          "\\u0000",
          "../",
          "1e999",
          "-1",
          "[a-"};
}

}  // namespace kiln::fuzz

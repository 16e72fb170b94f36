#include "builder/definitions/definitions.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "builder/definitions/bake_print.hpp"
#include "builder/definitions/image_names.hpp"
#include "builder/definitions/profile.hpp"
#include "builder/definitions/select.hpp"
#include "tests/support/golden.hpp"
#include "tests/unit/definitions/support/folder.hpp"

using kiln::load_definitions;
using kiln::TargetSpec;
namespace fs = std::filesystem;

namespace {

const fs::path kSource = KILN_SOURCE_DIR;

std::vector<std::string> names(const std::vector<TargetSpec>& targets) {
  std::vector<std::string> result;
  for (const TargetSpec& target : targets) result.push_back(target.name);
  return result;
}

}  // namespace

TEST_CASE("every bad definition is refused with its file, its line and the nearest valid name") {
  const fs::path cases = kSource / "tests/golden/definitions";
  const fs::path here = fs::current_path();
  int count = 0;
  for (const std::string& name : kiln::list_directory(cases)) {
    CAPTURE(name);
    ++count;
    fs::current_path(cases / name);
    std::string message = "accepted\n";
    try {
      load_definitions("images");
    } catch (const kiln::Error& error) {
      message = error.message() + "\n" + error.detail();
      CHECK(error.category() == kiln::Category::usage);
    }
    kiln::test::check_golden(cases / name / "expected", message);
    fs::current_path(here);
  }
  CHECK(count > 50);
}

TEST_CASE("broken images that are set aside are targets with problems, for each of the fleet's profiles") {
  const kiln::test::Folder folder(
      {{"profiles/a.json", "{}"},
       {"images/fleet.json", R"({"registry": "r.io", "profiles": ["a"],
                                      "groups": {"some": ["web-a", "good"]}})"},
       {"images/good/image.json", R"({"kind": "base"})"},
       {"images/good/Dockerfile", ""},
       {"images/folder/image.json", R"({"kind": "service", "name": "web", "x": 1, "y": 2})"},
       {"images/lost/image.json", R"({"kind": "base"})"}});
  const kiln::Fleet fleet = load_definitions(folder.path() / "images", kiln::BrokenImages::set_aside);
  CHECK(names(fleet.targets) == std::vector<std::string>{"good", "lost", "web"});
  CHECK(fleet.find("good")->problems.empty());
  CHECK(fleet.find("lost")->problems.size() == 1);
  CHECK(fleet.find("web")->problems.size() == 2);
  CHECK(fleet.find("web-a") == fleet.find("web"));
  CHECK(fleet.find("web-b") == nullptr);
  CHECK(fleet.groups.at("default") == names(fleet.targets));
  CHECK(kiln::select_targets(fleet, {"some"}, {}).size() == 2);
  try {
    load_definitions(folder.path() / "images");
    FAIL("loaded");
  } catch (const kiln::Error& error) {
    CHECK(error.category() == kiln::Category::usage);
    CHECK(error.message().find("lost/image.json:1: there is no Dockerfile") != std::string::npos);
    CHECK(error.detail().find("folder/image.json:1: unknown key 'x'") != std::string::npos);
    CHECK(error.detail().find("folder/image.json:1: unknown key 'y'") != std::string::npos);
  }
}

TEST_CASE("the repository's own fleet is read") {
  const kiln::Fleet fleet = load_definitions(kSource / "images");
  CHECK(fleet.settings.registry_and_namespace() == "ghcr.io/acme");
  CHECK(fleet.settings.lock_file == kSource / "images/kiln.lock");
  CHECK(fleet.settings.profiles_folder == kSource / "profiles");
  CHECK(fleet.settings.goals.reduction_min_pct == 55);
  CHECK(fleet.settings.goals.build_seconds == 300);
  CHECK(fleet.settings.retention == kiln::Retention{10, 7, 4, 3});
  CHECK(fleet.warnings.empty());

  const TargetSpec* base = fleet.find("base-python");
  REQUIRE(base != nullptr);
  REQUIRE(base->debian);
  CHECK(base->debian->suite == "bookworm");
  CHECK(base->dockerfile == kSource / "images/base-python/Dockerfile");
  CHECK(base->platforms == std::vector{kiln::oci::Platform::parse("linux/amd64")});

  const TargetSpec* hub = fleet.find("memory-fusion-hub-mainpc");
  REQUIRE(hub != nullptr);
  CHECK(hub->image == "memory-fusion-hub");
  CHECK(hub->size_limit_bytes == 200'000'000);
  REQUIRE(hub->profile);
  CHECK(hub->profile->machine.vram_bytes == 24'000'000'000);
  CHECK(fleet.find("memory-fusion-hub-pc2") != nullptr);
  CHECK(fleet.find("memory-fusion-hub") == nullptr);

  const auto& by_default = fleet.groups.at("default");
  CHECK(std::find(by_default.begin(), by_default.end(), "legacy-python") == by_default.end());
  CHECK(std::find(by_default.begin(), by_default.end(), "memory-fusion-hub-pc2") != by_default.end());
}

TEST_CASE("a Dockerfile that lies beside `debian` is used, and without one the packages are the image") {
  const kiln::test::Folder folder({{"images/fleet.json", R"({"registry": "r.io"})"},
                                   {"images/bare/image.json", R"({"kind": "base", "debian": {"suite": "bookworm"}})"},
                                   {"images/more/image.json", R"({"kind": "base", "debian": {"suite": "bookworm"}})"},
                                   {"images/more/Dockerfile", "FROM debian"}});
  const kiln::Fleet fleet = load_definitions(folder.path() / "images");
  CHECK(fleet.find("more")->dockerfile == folder.path() / "images/more/Dockerfile");
  CHECK_FALSE(fleet.find("bare")->dockerfile);
}

TEST_CASE("a service is baked for the fleet's profiles, an image that names its own for those, a base for none") {
  const kiln::test::Folder folder({{"profiles/a.json", R"({"CUDA_ARCH": "8.6"})"},
                                   {"profiles/b.json", R"({"extends": "a"})"},
                                   {"images/fleet.json", R"({"registry": "r.io", "profiles": ["a", "b"]})"},
                                   {"images/base/image.json", R"({"kind": "base"})"},
                                   {"images/base/Dockerfile", ""},
                                   {"images/one/image.json", R"({"kind": "service", "profiles": ["b"]})"},
                                   {"images/one/Dockerfile", ""},
                                   {"images/none/image.json", R"({"kind": "service", "profiles": []})"},
                                   {"images/none/Dockerfile", ""},
                                   {"images/web/image.json", R"({"kind": "service", "device": "gpu"})"},
                                   {"images/web/Dockerfile", ""},
                                   {"images/schema/x.json", "not read"},
                                   {"images/draft/Dockerfile", ""}});
  const kiln::Fleet fleet = load_definitions(folder.path() / "images");
  CHECK(names(fleet.targets) == std::vector<std::string>{"base", "none", "one-b", "web-a", "web-b"});
  CHECK(fleet.groups.at("web") == std::vector<std::string>{"web-a", "web-b"});
  CHECK(fleet.groups.at("default") == names(fleet.targets));
  CHECK_FALSE(fleet.groups.contains("base"));
  REQUIRE(fleet.warnings.size() == 1);
  CHECK(fleet.warnings[0].find("has a Dockerfile but no image.json") != std::string::npos);
}

TEST_CASE("everything an image may say is carried over") {
  const kiln::test::Folder folder({{"images/fleet.json", R"({"registry": "r.io", "platform": "linux/arm64",
                                      "compression": "zstd:5", "layers": {"by": "package"}, "source": "https://example.com/x",
                                      "cache": {"from": ["f"], "to": ["t"]}, "build": {"ca_bundle": "ca.pem"}})"},
                                   {"images/app/image.json", R"({"$schema": "x", "name": "web", "description": "d",
                                      "kind": "family", "device": "gpu", "dockerfile": "../src/D", "context": "../src",
                                      "contexts": {"lib": "../src/lib", "old": "docker-image://x:1", "b": "target:web"},
                                      "target": "final", "args": {"A": "x", "N": 5, "F": true, "U": null},
                                      "platforms": ["linux/amd64", "linux/arm64"], "compression": "none",
                                      "layers": {"by": "package", "limit": 100},
                                      "cuda": {"version": "12.1", "arch": ["8.6"]}, "tags": ["v1-{date}"],
                                      "labels": {"l": "v"}, "limits": {"size": 5}, "network": "none", "no_cache": true,
                                      "secrets": [{"id": "t", "file": "t.txt"}, {"id": "e", "env": "E"}],
                                      "baseline": {"reference": "docker.io/library/python:3.11",
                                        "recorded": {"compressed_bytes": 9, "unpacked_bytes": 20, "date": "2025-01-31"}}})"},
                                   {"images/src/D", ""},
                                   {"images/src/lib/x", ""}});
  const fs::path images = folder.path() / "images";
  const kiln::Fleet fleet = load_definitions(images.string() + "/");
  CHECK(fleet.folder == images);
  CHECK(fleet.settings.ca_bundle == (images / "ca.pem").string());
  REQUIRE(fleet.targets.size() == 1);
  const TargetSpec& target = fleet.targets[0];
  CHECK(target.name == "web");
  CHECK(target.description == "d");
  CHECK(target.kind == kiln::ImageKind::family);
  CHECK(target.device == kiln::Device::gpu);
  CHECK(target.dockerfile == images / "src/D");
  CHECK(target.context == images / "src");
  CHECK(target.contexts == std::map<std::string, std::string>{{"lib", (images / "src/lib").string()},
                                                              {"old", "docker-image://x:1"},
                                                              {"b", "target:web"}});
  CHECK(target.stage == "final");
  CHECK(target.args == std::map<std::string, std::string>{{"A", "x"}, {"N", "5"}, {"F", "true"}});
  CHECK(target.platforms.size() == 2);
  CHECK(target.compression == kiln::Compression::parse("none"));
  CHECK(target.layers == kiln::LayerRules{kiln::LayerRules::By::package, 100});
  CHECK(fleet.settings.layers == kiln::LayerRules{kiln::LayerRules::By::package, 64});
  CHECK(target.cuda == kiln::Cuda{"12.1", {"8.6"}});
  CHECK(target.tag_templates == std::vector<std::string>{"v1-{date}"});
  CHECK(target.labels ==
        std::map<std::string, std::string>{{"l", "v"}, {"org.opencontainers.image.source", "https://example.com/x"}});
  CHECK(target.size_limit_bytes == 5);
  CHECK(target.network == kiln::NetworkMode::none);
  CHECK(target.no_cache);
  CHECK(target.secrets ==
        std::vector<kiln::SecretSource>{{"t", images / "app/t.txt", std::nullopt}, {"e", std::nullopt, "E"}});
  CHECK(target.cache_from == std::vector<std::string>{"f"});
  CHECK(target.cache_to == std::vector<std::string>{"t"});
  REQUIRE(target.baseline);
  CHECK(target.baseline->reference == "docker.io/library/python:3.11");
  CHECK(target.baseline->recorded == kiln::RecordedSize{9, 20, "2025-01-31"});
  CHECK_FALSE(kiln::baseline_target(target));
}

TEST_CASE("a context of another image means its target for the same profile") {
  const kiln::test::Folder folder({{"profiles/a.json", "{}"},
                                   {"images/fleet.json", R"({"registry": "r.io", "profiles": ["a"]})"},
                                   {"images/x/image.json", R"({"kind": "service"})"},
                                   {"images/x/Dockerfile", ""},
                                   {"images/y/image.json", R"({"kind": "service", "contexts": {"other": "target:x"}})"},
                                   {"images/y/Dockerfile", ""}});
  CHECK(load_definitions(folder.path() / "images").find("y-a")->contexts.at("other") == "target:x-a");
}

TEST_CASE("the baseline of the pilot is its legacy Dockerfile in the same context, without a profile") {
  const kiln::Fleet fleet = load_definitions(kSource / "images");
  const auto baseline = kiln::baseline_target(*fleet.find("memory-fusion-hub-pc2"));
  REQUIRE(baseline);
  CHECK(baseline->name == "memory-fusion-hub-baseline");
  CHECK(baseline->dockerfile == kSource / "images/memory-fusion-hub/Dockerfile.legacy");
  CHECK(baseline->context == kSource / "images/memory-fusion-hub");
  CHECK_FALSE(baseline->profile);
  CHECK(baseline->tag_templates.empty());
  CHECK_FALSE(kiln::baseline_target(*fleet.find("base-python")));
}

TEST_CASE("the default group can be the fleet's own") {
  const kiln::test::Folder folder(
      {{"images/fleet.json", R"({"registry": "r.io", "groups": {"default": ["b"], "all": ["a", "b"]}})"},
       {"images/a/image.json", R"({"kind": "base"})"},
       {"images/a/Dockerfile", ""},
       {"images/b/image.json", R"({"kind": "base"})"},
       {"images/b/Dockerfile", ""}});
  const kiln::Fleet fleet = load_definitions(folder.path() / "images");
  CHECK(select_targets(fleet, {}, {}).size() == 1);
  CHECK(select_targets(fleet, {"all"}, {}).size() == 2);
}

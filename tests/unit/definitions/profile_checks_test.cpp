#include "builder/definitions/profile_checks.hpp"

#include <doctest/doctest.h>

#include "builder/definitions/definitions.hpp"

namespace kiln {
namespace {

using Severity = ProfileFinding::Severity;

Profile workstation() {
  Profile profile;
  profile.name = "workstation";
  profile.machine.cores = 16;
  profile.machine.memory_bytes = std::uint64_t{64} << 30;
  profile.machine.gpu = "RTX 3060";
  profile.machine.vram_bytes = std::uint64_t{12} << 30;
  profile.values = {{"OMP_NUM_THREADS", "4"},
                    {"UVICORN_WORKERS", "8"},
                    {"CUDA_ARCH", "8.6"},
                    {"GPU_VISIBLE_DEVICES", "0"},
                    {"TORCH_CUDA_ALLOC_CONF", "max_split_size_mb:64"},
                    {"MODEL_EVICT_THRESHOLD_PCT", "70"}};
  return profile;
}

// The one finding of a profile with one value changed.
ProfileFinding finding_with(const std::string& key, const std::string& value) {
  Profile profile = workstation();
  profile.values[key] = value;
  const auto findings = check_profile(profile);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].key == key);
  return findings[0];
}

TEST_CASE("a profile that fits its machine has no finding") { CHECK(check_profile(workstation()).empty()); }

TEST_CASE("counts are held against the cores and the memory") {
  CHECK(finding_with("OMP_NUM_THREADS", "17").text == "17 threads on 16 cores");
  CHECK(finding_with("UVICORN_WORKERS", "34").severity == Severity::error);
  const ProfileFinding both = finding_with("UVICORN_WORKERS", "33");
  CHECK(both.severity == Severity::warning);
  CHECK(both.text.find("132 threads on 16 cores") != std::string::npos);
  Profile profile = workstation();
  profile.machine.memory_bytes = std::uint64_t{512} << 20;
  REQUIRE(check_profile(profile).size() == 1);
  CHECK(check_profile(profile)[0].text.find("do not fit into") != std::string::npos);
}

TEST_CASE("CUDA_ARCH is held against the GPU's name") {
  CHECK(finding_with("CUDA_ARCH", "8.9").text == "'8.9', but the compute capability of 'RTX 3060' is 8.6");
  Profile profile = workstation();
  profile.machine.gpu = "NVIDIA L40";
  profile.values["CUDA_ARCH"] = "8.9";
  CHECK(check_profile(profile).empty());
  profile.machine.gpu = "a GPU of next year";
  profile.values["CUDA_ARCH"] = "15.0";
  CHECK(check_profile(profile).empty());
}

TEST_CASE("a GPU that the machine has not is refused") {
  Profile profile = workstation();
  profile.machine.gpu.clear();
  profile.machine.vram_bytes.reset();
  REQUIRE(check_profile(profile).size() == 1);
  CHECK(check_profile(profile)[0].key == "GPU_VISIBLE_DEVICES");
  profile.values["GPU_VISIBLE_DEVICES"] = "-1";
  CHECK(check_profile(profile).empty());
  profile.machine.vram_bytes = std::uint64_t{12} << 30;
  CHECK(check_profile(profile)[0].key == "machine");
}

TEST_CASE("the allocator's options are those that torch reads") {
  CHECK(finding_with("TORCH_CUDA_ALLOC_CONF", "max_split_size:64").text ==
        "torch knows no option 'max_split_size'; did you mean 'max_split_size_mb'?");
  CHECK(finding_with("TORCH_CUDA_ALLOC_CONF", "max_split_size_mb:20").text.find("above 20") != std::string::npos);
  CHECK(finding_with("TORCH_CUDA_ALLOC_CONF", "max_split_size_mb:20000").text.find("the GPU has") != std::string::npos);
  CHECK(finding_with("TORCH_CUDA_ALLOC_CONF", "garbage_collection_threshold:1.5").severity == Severity::error);
}

TEST_CASE("models that leave CUDA no memory are a warning") {
  CHECK(finding_with("MODEL_EVICT_THRESHOLD_PCT", "99").severity == Severity::warning);
}

TEST_CASE("a machine that says nothing is not checked") {
  Profile profile = workstation();
  profile.machine = Machine{};
  profile.values["OMP_NUM_THREADS"] = "9999";
  CHECK(check_profile(profile).empty());
}

TEST_CASE("errors come before warnings") {
  Profile profile = workstation();
  profile.values["MODEL_EVICT_THRESHOLD_PCT"] = "100";
  profile.values["OMP_NUM_THREADS"] = "99";
  const auto findings = check_profile(profile);
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].severity == Severity::error);
}

TEST_CASE("the repository's own profiles have no error") {
  for (const auto& [name, profile] : load_definitions(fs::path(KILN_SOURCE_DIR) / "images").profiles) {
    CAPTURE(name);
    for (const ProfileFinding& finding : check_profile(profile)) CHECK(finding.severity == Severity::warning);
  }
}

}  // namespace
}  // namespace kiln

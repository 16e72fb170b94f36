#include "builder/release/rollback_plan.hpp"
#include "builder/report/baseline.hpp"
#include "builder/report/report_document.hpp"
#include "builder/report/report_json.hpp"
#include "registry/remote/release_record.hpp"
#include "tests/fuzz/attempt.hpp"
#include "tests/unit/release/sample_plan.hpp"
#include "tests/unit/report/sample_report.hpp"

// Releases, journals of rollbacks, baselines and reports. The first byte says which of them the rest is.
namespace kiln::fuzz {

namespace {

std::string sample_release() {
  ReleaseRecord record;
  record.name = "v1";
  record.created = "2026-11-20T12:00:00Z";
  record.kiln_version = "0.1.0";
  record.registry = "ghcr.io/acme";
  record.images = {
      {"app", "ghcr.io/acme/app", "latest", {oci::media_type::kOciManifest, oci::sha256_of("m"), 3, {}, {}, {}}, 7}};
  return to_json_text(record);
}

std::string sample_baselines() {
  Baseline baseline;
  baseline.kind = BaselineKind::dockerfile;
  baseline.reference = "app/Dockerfile.legacy";
  baseline.compressed_bytes = 10;
  baseline.unpacked_bytes = 30;
  baseline.date = "2025-01-31T12:00:00Z";
  baseline.kiln_version = "0.1.0";
  baseline.image_digest = oci::sha256_of("image");
  baseline.layers = {{oci::sha256_of("layer"), 10, 30, ContentBytes{}}};
  return to_json_text(Baselines{{"app", baseline}});
}

}  // namespace

void fuzz_one(std::string_view input) {
  if (input.empty()) return;
  const std::string_view text = input.substr(1);
  switch (input[0]) {
    case 'v':
      return is_read_as_written(
          Category::network, text,
          [](std::string_view from) { return parse_release(from, "input", Category::network); },
          [](const ReleaseRecord& record) { return to_json_text(record); });
    case 'p':
      return is_read_as_written(
          Category::machine, text, [](std::string_view from) { return parse_rollback_plan(from, "input"); },
          [](const RollbackPlan& plan) { return to_json_text(plan); });
    case 'b':
      return is_read_as_written(
          Category::usage, text, [](std::string_view from) { return parse_baselines(from, "baselines.json"); },
          [](const Baselines& baselines) { return to_json_text(baselines); });
    default:
      return is_read_as_written(
          Category::machine, text, [](std::string_view from) { return parse_report(from, "input", Category::machine); },
          [](const BuildReport& report) { return to_json_text(report); });
  }
}

std::vector<std::string> seeds() {
  return {"v" + sample_release(), "p" + to_json_text(sample_plan()), "b" + sample_baselines(),
          "r" + to_json_text(test::record_sample())};
}

std::vector<std::string> words() {
  return {"\"schema_version\":1",
          "\"images\":[",
          "\"layers\":[",
          "\"digest\":",
          "\"bytes\":",
          "\"steps\":[",
          "\"baseline\":{",
          "\"contents\":{",
          "\"state\":\"undone\"",
          "\"health\":{\"kind\":\"url\"",
          "\"moves\":[",
          "\"from\":null",
          "null",
          "{}",
          "[]",
          "-1",
          "1e999",
          "0.5",
          "18446744073709551615",
          "\"\\ud800\"",
          "sha256:",
          "\"outcome\":\"hit\""};
}

}  // namespace kiln::fuzz

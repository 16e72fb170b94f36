#pragma once

#include <string>

#include "builder/report/recorder.hpp"
#include "builder/report/report_document.hpp"

namespace kiln::test {

// For a writer called in the same expression.
inline ReportDocument document_of(const BuildReport& report) { return ReportDocument(report); }

inline oci::Digest digest_of(const std::string& seed) { return oci::sha256_of(seed); }

inline ReportLayer layer(const std::string& seed, std::uint64_t bytes, std::string file, int line, std::string text) {
  return {digest_of(seed), digest_of(seed + ".tar"), bytes, bytes * 3, std::move(file), line, std::move(text)};
}

inline StepView view(int number, std::string target, std::string file, int line, std::string text) {
  StepView step;
  step.number = number;
  step.target = std::move(target);
  step.file = std::move(file);
  step.line = line;
  step.text = std::move(text);
  return step;
}

inline StepResult result(StepOutcome outcome, std::string key, double seconds, std::uint64_t bytes,
                         std::string from_or_reason) {
  StepResult value;
  value.outcome = outcome;
  value.key = std::move(key);
  value.seconds = seconds;
  value.bytes = bytes;
  (outcome == StepOutcome::hit ? value.from : value.reason) = std::move(from_or_reason);
  return value;
}

inline BuildReport record_sample() {
  Recorder recorder;
  const std::string utils = "base-utils/Dockerfile", hub = "memory-fusion-hub/Dockerfile";
  recorder.step_started(view(1, "base-utils", utils, 3, "RUN apt-get install --yes tini curl ca-certificates"));
  recorder.step_started(view(2, "memory-fusion-hub-mainpc", hub, 9, "COPY requirements.txt /app/"));
  recorder.step_started(view(3, "memory-fusion-hub-mainpc", hub, 10,
                             "RUN --mount=type=cache,target=/root/.cache/pip pip install --require-hashes -r "
                             "/app/requirements.txt"));
  recorder.step_started(view(4, "memory-fusion-hub-pc2", hub, 10, "RUN pip install"));
  recorder.step_started(view(5, "memory-fusion-hub-mainpc", hub, 14, "COPY --chown=appuser app/ /app/"));
  recorder.step_finished(1, result(StepOutcome::hit, "k1", 9.5, 24000000, "local"));
  recorder.step_finished(2, result(StepOutcome::hit, "k2", 0.011, 812, "registry ghcr.io/acme/cache"));
  recorder.step_finished(3, result(StepOutcome::built, "k3", 12.25, 31400000,
                                   "no record: 'requirements.txt' changed (sha256:1f0c... before, sha256:88ab... now) "
                                   "against the build of 2025-01-30"));
  recorder.step_finished(4, result(StepOutcome::hit, "k3", 12.25, 31400000, "this run"));
  recorder.step_finished(5, result(StepOutcome::hit, "k5", 0.02, 5400, "local"));
  recorder.step_started(view(6, "base-python", "base-python/image.json", 0, "debian bookworm"));
  recorder.step_finished(6, result(StepOutcome::hit, "k0", 17, 39000000, "local"));

  const ReportLayer python = layer("python", 39000000, "base-python/image.json", 0, "debian bookworm");
  const ReportLayer tools = layer("tools", 24000000, utils, 3, "RUN apt-get install --yes tini curl ca-certificates");
  const ReportLayer packages = layer("packages", 31400000, hub, 10,
                                     "RUN --mount=type=cache,target=/root/.cache/pip pip install --require-hashes -r "
                                     "/app/requirements.txt");
  const ReportLayer code = layer("code", 5400, hub, 14, "COPY --chown=appuser app/ /app/");
  Baseline legacy;
  legacy.kind = BaselineKind::dockerfile;
  legacy.reference = "memory-fusion-hub/Dockerfile.legacy";
  legacy.compressed_bytes = 412000000;
  legacy.unpacked_bytes = 1180000000;
  legacy.date = "2025-01-31T12:00:00Z";
  recorder.add_image({"base-python", "", digest_of("m0"), {python}, {}});
  recorder.add_image({"base-utils", "", digest_of("m1"), {python, tools}, {}});
  recorder.add_image({"memory-fusion-hub", "mainpc", digest_of("m2"), {python, tools, packages, code}, legacy});
  recorder.add_image({"memory-fusion-hub", "pc2", digest_of("m3"), {python, tools, packages, code}, legacy});
  recorder.add_wire({31405400, 0, 63000000});

  Recorder::Run run;
  run.created = 1738324800;
  run.seconds = 21.4567;
  run.kiln_version = "0.1.0";
  run.targets = {55, 70, 70, 300};
  BuildReport report = recorder.report(run);
  // As in reports of earlier versions, which had steps of images that were left out.
  report.steps.back().started.reset();
  report.steps.back().ended.reset();
  return report;
}

// A run over a chain of three images, the last for two profiles, one step of which missed. The same each time: the
// recorder took the time of its steps once.
inline BuildReport sample_report() {
  static const BuildReport sample = record_sample();
  return sample;
}

}  // namespace kiln::test

#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "builder/report/baseline.hpp"
#include "builder/report/build_report.hpp"
#include "builder/steps/events.hpp"

namespace kiln {

// An image as the run left it; the sums are the recorder's to make.
struct RecordedImage {
  std::string name;
  std::string profile;
  oci::Digest digest;
  std::vector<ReportLayer> layers;
  std::optional<Baseline> baseline;
  std::optional<std::uint64_t> limit_bytes = std::nullopt;
};

// A step as it was heard, for one target.
struct HeardStep {
  StepView view;
  StepResult result;
  double started = 0;  // seconds from the recorder's beginning
  double ended = 0;
};

// Listens to a build and makes its report. Everything it hears it passes on to `next`, so that it stands between the
// solver and the progress display. All methods may be called from any thread.
//
// Nothing is kept or passed on before `masking` took the secrets out of it: messages, reasons, errors, names of tasks.
// What a command prints is passed on as it is, and so is the text of a step as its Dockerfile has it: no variable is
// expanded in it.
//
// What counts as a step: what ends by step_finished. A step that several images share counts once: entries of
// one key are merged, the strongest outcome wins (failed, then built, then hit: a step that one image built and
// another found "in this run" was built). Steps without a key (they failed before it was known) are never merged.
// Tasks (task_finished) are no steps. A step that was a hit and starts again at its place (the layers of one below it
// or its own were lost) counts as it ended the second time.
class Recorder final : public BuildObserver {
 public:
  using Masking = std::function<std::string(std::string_view)>;

  // `next` may be null; it is borrowed. No masking: there are no secrets.
  explicit Recorder(BuildObserver* next = nullptr, Masking masking = {}) : next_(next), masking_(std::move(masking)) {}
  // Nothing is passed on any more: for when the display ends before what it displayed.
  void stop_forwarding() { next_.store(nullptr); }

  void info(std::string_view message) override;
  void warn(std::string_view message) override;
  void debug(std::string_view message) override;
  void step_started(const StepView& step) override;
  void step_missed(int number, const Miss& miss) override;
  void step_output(int number, std::string_view bytes) override;
  void step_progress(int number, std::string_view what, std::uint64_t done, std::uint64_t total) override;
  void step_finished(int number, const StepResult& result) override;
  void task_finished(int number, std::string_view error) override;
  void task_stopped(int number) override;
  void stage_waits(const StageView& stage, const StageView& other) override;
  void stage_goes_on(const StageView& stage) override;
  bool wants_expectation() const override;
  void build_expected(const std::vector<ExpectedStage>& stages) override;

  // Images are reported in the order in which they are added; call it once per image and profile.
  void add_image(RecordedImage image);
  void add_wire(const ReportWire& wire);
  void add_fetched(std::vector<ReportFetch> fetched);
  // With no secret in them.
  void add_policy(const std::vector<PolicyFinding>& findings);

  struct Run {
    UnixSeconds created = 0;
    double seconds = 0;
    std::string kiln_version;
    ReportTargets targets;
    std::string commit = {};
  };
  // The report of what was heard so far; steps in the order in which they started.
  BuildReport report(const Run& run) const;
  // Every step that finished, of each target, equal ones not merged, in the order in which they started.
  std::vector<HeardStep> heard_steps() const;

 private:
  struct Entry {
    HeardStep heard;
    bool finished = false;
    bool is_superseded = false;  // a hit whose place was solved again
  };
  // Target, platform, stage, index, line.
  using Place = std::tuple<std::string, std::string, std::string, int, int>;

  std::vector<ReportStep> counted_steps() const;
  std::string masked(std::string_view text) const { return masking_ ? masking_(text) : std::string(text); }
  StepView masked(StepView step) const;
  StepResult masked(StepResult result) const;

  std::atomic<BuildObserver*> next_;
  const Masking masking_;
  const double began_ = monotonic_seconds();
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
  std::map<int, std::size_t> entry_of_number_;
  std::map<Place, std::size_t> entry_of_place_;
  std::vector<RecordedImage> images_;
  ReportWire wire_;
  std::vector<ReportFetch> fetched_;
  std::vector<PolicyFinding> policy_;
};

}  // namespace kiln

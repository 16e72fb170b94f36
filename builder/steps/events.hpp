#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.hpp"
#include "base/log.hpp"
#include "builder/cache/step_outcome.hpp"
#include "builder/cache/step_record.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

// Where a hit is from: the store; another image, which executed it in the same run.
inline constexpr std::string_view kFromThisMachine = "local";
inline constexpr std::string_view kFromThisRun = "this run";

// A step as people see it. `number` is unique in one run of kiln and is the N of "#N" in plain progress.
struct StepView {
  int number = 0;
  std::string target;    // the bake target or, for kiln build, ""
  std::string stage;     // "builder", "stage-1"
  std::string platform;  // "linux/amd64"; empty for what belongs to none
  int index = 0;         // "[builder 2/5]"
  int count = 0;
  std::string text;  // "RUN pip install -r requirements.txt", one line
  std::string file;  // the Dockerfile, or the definition
  int line = 0;      // 0 where it stands on no line
  // What tasks of this kind are counted as where one is not worth a line: "blobs pushed". Empty: each is.
  std::string tally;
};

// A stage as people see it.
struct StageView {
  std::string target;
  std::string stage;
  std::string platform;

  auto operator<=>(const StageView&) const = default;
};

// What earlier builds of the same definitions took, by stage.
struct ExpectedStage {
  StageView stage;
  std::map<int, double> seconds;   // of its steps, by their lines
  std::vector<std::size_t> needs;  // numbers of the stages that it cannot end before
};

struct StepResult {
  StepOutcome outcome = StepOutcome::built;
  std::string key;     // the step key, hex
  std::string from;    // a hit's source: kFromThisMachine, "registry ghcr.io/acme/cache", "this run"
  std::string reason;  // of a miss: "no record: RUN changed", "--no-cache"; of a failure: the message
  MissKind miss_kind = MissKind::changed;  // of a miss
  bool was_stopped = false;  // a failure that is none of the step's: on request, or since another step failed
  double seconds = 0;        // what executing it took now or, for a hit, when it was recorded
  std::uint64_t bytes = 0;   // compressed bytes of its layers
  std::optional<oci::Digest> diff_id;
  std::vector<LayerValue> layers;
  std::optional<NetworkRecord> network;  // what was fetched for it; none: not recorded
  // Of a miss that an earlier build of the same place explains: what is not as it was there, and when that was.
  std::vector<InputDifference> differences;
  std::string against;  // RFC 3339; empty without one
};

// What is told about a build while it goes on: to the progress display, to the recorder behind the report, to tests.
// Called from many threads at once. Steps nest nowhere: each starts once and finishes once. A step that is solved again
// at its place, since the layers of one were lost, starts again under another number.
class BuildObserver : public Log {
 public:
  // A number for a step or another piece of work that is about to start.
  int new_number() { return ++last_number_; }

  // Anything that takes time and is shown: a step of a Dockerfile, resolving a base, an upload.
  virtual void step_started(const StepView& step) = 0;
  // No cache has the step, so it is executed now. `reason` as in StepResult.
  virtual void step_missed(int /*number*/, const Miss& /*miss*/) {}
  // Bytes the step's command printed, cut anywhere.
  virtual void step_output(int number, std::string_view bytes) = 0;
  // Bytes moved of a total (0 where unknown), for downloads, uploads, compression.
  virtual void step_progress(int number, std::string_view what, std::uint64_t done, std::uint64_t total) = 0;
  virtual void step_finished(int number, const StepResult& result) = 0;
  // A piece of work that cannot make a layer (resolve, push, export) has ended; "" where it went well.
  virtual void task_finished(int number, std::string_view error) = 0;
  // It did not come to its end, on request or since other work failed. An observer that does not tell the two apart
  // hears it as an error.
  virtual void task_stopped(int number) { task_finished(number, kStoppedOnRequest); }
  // A stage cannot go on before another is solved, and later: it goes on.
  virtual void stage_waits(const StageView& /*stage*/, const StageView& /*other*/) {}
  virtual void stage_goes_on(const StageView& /*stage*/) {}
  // What earlier builds took, for who tells how long this one will: it costs reading their records.
  virtual bool wants_expectation() const { return false; }
  virtual void build_expected(const std::vector<ExpectedStage>& /*stages*/) {}

 private:
  std::atomic<int> last_number_{0};
};

}  // namespace kiln

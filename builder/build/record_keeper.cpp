#include "builder/build/record_keeper.hpp"

#include <fmt/format.h>

#include <exception>

#include "builder/definitions/checked_out_commit.hpp"
#include "builder/report/gate.hpp"
#include "builder/report/image_sums.hpp"
#include "builder/report/report_store.hpp"
#include "registry/remote/pull.hpp"

namespace kiln {

namespace {

RecordedImage recorded_image(const BuiltImage& built) {
  RecordedImage recorded;
  recorded.name = built.target->image;
  recorded.profile = built.target->profile ? built.target->profile->name : "";
  recorded.digest = built.image.manifest.digest;
  recorded.limit_bytes = built.target->size_limit_bytes;
  for (const ImageLayer& layer : built.image.layers) {
    ReportLayer line;
    line.digest = layer.value.blobs.front().descriptor.digest;
    line.diff_id = layer.value.diff_id;
    line.bytes = layer.value.blobs.front().descriptor.size;
    line.unpacked_bytes = layer.value.unpacked_bytes;
    line.file = layer.file;
    line.line = layer.line;
    line.text = layer.text;
    recorded.layers.push_back(std::move(line));
  }
  return recorded;
}

std::string commit_of(const Fleet& fleet) {
  return fleet.folder.empty() ? "" : checked_out_commit(fleet.folder).value_or("");
}

}  // namespace

RecordKeeper::RecordKeeper(Workshop& shop, double began) : shop_(shop), began_(began) {}

RecordKeeper::~RecordKeeper() {
  // A build that ends well without a report measured something (a baseline) and has no record for 'kiln why'.
  if (is_kept_ || log_.empty() || std::uncaught_exceptions() == 0) return;
  try {
    keep(true);
  } catch (const std::exception& error) {
    shop_.recorder().warn(fmt::format("'kiln why' will not know this build: {}", error.what()));
  }
}

void RecordKeeper::begin(const Plan& plan, const std::vector<std::size_t>& wanted, const Fleet& fleet) {
  log_.set_fleet(fleet.folder.empty() ? fs::path() : fs::absolute(fleet.folder).lexically_normal());
  log_.add_targets(plan, plan.closure({wanted.begin(), wanted.end()}));
}

void RecordKeeper::keep(bool failed) {
  const BuildRecord record = log_.record(shop_.recorder().heard_steps(), {shop_.clock().monotonic_seconds() - began_,
                                                                          failed, shop_.surroundings().kiln_version});
  BuildRecordStore(shop_.home().builds()).save(record);
  is_kept_ = true;
}

BuildReport RecordKeeper::finish(const BuildRequest& request, const std::vector<BuiltTarget>& targets) {
  Recorder& recorder = shop_.recorder();
  for (const BuiltTarget& target : targets) {
    for (const BuiltImage& built : target.images) {
      RecordedImage recorded = recorded_image(built);
      if (const auto it = request.baselines.find(built.target->image); it != request.baselines.end())
        recorded.baseline = it->second;
      log_.set_digest(*built.target, recorded.digest);
      if (target.images.size() > 1 && !recorded.name.empty())
        recorded.name += fmt::format(" ({})", built.target->platform().str());
      recorder.add_image(std::move(recorded));
    }
  }
  if (const RemoteSession* remote = shop_.remote().opened()) {
    const WireStats& stats = remote->stats();
    recorder.add_wire({stats.pushed_bytes, stats.pulled_bytes, stats.mounted_bytes});
  }
  recorder.add_wire(shop_.caches().wire());
  recorder.add_fetched(shop_.caches().fetched());
  const BuildReport report =
      recorder.report({shop_.clock().now(), shop_.clock().monotonic_seconds() - began_,
                       shop_.surroundings().kiln_version, request.goals, commit_of(request.fleet)});
  ReportStore(shop_.home().reports(), shop_.home().locks() / "reports").save(report);
  keep(false);
  return report;
}

void check_sizes(const std::vector<BuiltImage>& images) {
  BuildReport sizes;
  std::vector<RecordedImage> recorded;
  for (const BuiltImage& built : images) recorded.push_back(recorded_image(built));
  sizes.images = images_with_sums(recorded);
  refuse_failed_gates(failed_gates(sizes, {}));
}

}  // namespace kiln

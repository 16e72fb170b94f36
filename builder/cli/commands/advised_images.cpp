#include "builder/cli/commands/advised_images.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/text.hpp"
#include "builder/cache/step_cache.hpp"
#include "builder/cli/images/image_contents.hpp"
#include "builder/packages/layer_comparison.hpp"
#include "builder/packages/layer_files.hpp"
#include "builder/report/order_advice.hpp"

namespace kiln::cli {

namespace {

// Whether a step is one that is cut along packages, though it came to one layer.
bool is_cut_step(StepCache& cache, const BuildRecordStep& step) {
  if (step.diff_ids.size() != 1 || !step.text.starts_with("RUN")) return step.diff_ids.size() > 1;
  const StepCache::Lookup found = cache.find(step.key);
  if (!found.record) return false;
  const std::vector<StepInput> inputs = found.record->inputs.list();
  return std::any_of(inputs.begin(), inputs.end(), [](const StepInput& input) { return input.name == "layers"; });
}

class Looking {
 public:
  Looking(RegistrySession& session, const std::vector<NewestBuild>& builds, const CancelToken& cancel, Log& log)
      : session_(session), builds_(builds), cancel_(cancel), log_(log), cache_(session.store()) {
    for (const NewestBuild& build : builds) {
      for (const BuildRecordTarget& target : build.record->targets) add_origins(target);
    }
  }

  std::vector<AdvisedImage> run() {
    for (const NewestBuild& build : builds_) open(build);
    for (const NewestBuild& build : builds_) add_unasked_base(build);
    return std::move(images_);
  }

 private:
  void add_origins(const BuildRecordTarget& target) {
    for (const BuildRecordStep& step : target.steps) {
      if (step.diff_ids.empty()) continue;
      std::optional<bool> is_cut;
      for (const oci::Digest& diff_id : step.diff_ids) {
        const auto [origin, is_new] = origins_.try_emplace(diff_id);
        if (!is_new) continue;
        if (!is_cut) is_cut = is_cut_step(cache_, step);
        origin->second = {StepLine{step.file, step.line, step.text}, *is_cut};
      }
    }
  }

  void open(const NewestBuild& build) {
    const BuildRecordTarget& target = *build.target;
    if (!target.digest) return;
    const std::string name = name_of(target);
    auto opened = open_stored_image(session_.store(), pool_, name, *target.digest, cancel_);
    if (!opened) {
      log_.warn(fmt::format("'{}' is left out: its build of {} is not wholly in the store; build it again",
                            printable(name), build.record->created));
      return;
    }
    add(name, *opened);
    opened_.push_back(std::move(*opened));
  }

  // A base that was built for its children alone has no manifest: its layers are the lowest of a child's.
  void add_unasked_base(const NewestBuild& build) {
    if (build.target->digest || build.target->steps.empty()) return;
    const auto last = std::find_if(build.target->steps.rbegin(), build.target->steps.rend(),
                                   [](const BuildRecordStep& step) { return !step.diff_ids.empty(); });
    if (last == build.target->steps.rend()) return;
    for (const OpenedImage& child : opened_) {
      const auto& diff_ids = child.config.diff_ids;
      const auto place = std::find(diff_ids.begin(), diff_ids.end(), last->diff_ids.back());
      if (place == diff_ids.end()) continue;
      const std::ptrdiff_t count = place - diff_ids.begin() + 1;
      OpenedImage base = child;
      base.name = name_of(*build.target);
      const auto& layers = child.files.layers();
      base.files = MergedView({layers.begin(), layers.begin() + count});
      base.parsed.layers.resize(static_cast<std::size_t>(count));
      base.config.diff_ids.resize(static_cast<std::size_t>(count));
      add(base.name, base);
      return;
    }
  }

  std::string name_of(const BuildRecordTarget& target) const {
    const auto of_name = std::count_if(builds_.begin(), builds_.end(), [&](const NewestBuild& build) {
      return title_of(*build.target) == title_of(target);
    });
    return of_name > 1 ? fmt::format("{} ({})", title_of(target), target.platform) : title_of(target);
  }

  void add(const std::string& name, const OpenedImage& opened) {
    std::string layers;
    for (const oci::Descriptor& layer : opened.parsed.layers) layers += layer.digest.str() + ' ';
    const auto [known, is_new] = known_.try_emplace(layers, images_.size());
    if (!is_new) {
      images_[known->second].names.push_back(name);
      return;
    }
    AdvisedImage& image = images_.emplace_back();
    image.names = {name};
    image.packages = read_packages(session_, pool_, opened, cancel_);
    for (const std::string& note : image.packages.notes) log_.warn(fmt::format("'{}': {}", printable(name), note));
    for (const oci::Digest& diff_id : opened.config.diff_ids) {
      const auto origin = origins_.find(diff_id);
      image.origins.push_back(origin == origins_.end() ? AdvisedImage::Origin{} : origin->second);
    }
    const ReadLayerFiles read = [&](std::size_t layer, const std::set<std::string>& paths) {
      return read_layer_files(session_.store(), pool_, opened.parsed.layers[layer], *opened.files.layers()[layer],
                              paths, cancel_);
    };
    image.hidden = hidden_packages({opened.files, opened.parsed.layers, opened.config.history}, read);
  }

  RegistrySession& session_;
  const std::vector<NewestBuild>& builds_;
  const CancelToken& cancel_;
  Log& log_;
  StepCache cache_;
  ThreadPool pool_;
  std::map<oci::Digest, AdvisedImage::Origin> origins_;
  std::vector<OpenedImage> opened_;
  std::map<std::string, std::size_t> known_;  // images by their layers
  std::vector<AdvisedImage> images_;
};

}  // namespace

std::vector<AdvisedImage> look_into_builds(RegistrySession& session, const std::vector<NewestBuild>& builds,
                                           const CancelToken& cancel, Log& log) {
  return Looking(session, builds, cancel, log).run();
}

std::vector<Advice> look_into_history(RegistrySession& session, const std::vector<BuildRecord>& records,
                                      const std::vector<NewestBuild>& builds, const std::vector<AdvisedImage>& images) {
  StepCache cache(session.store());
  IndexCache indexes(session.store());
  std::map<oci::Digest, const BuildRecordStep*> steps;
  for (const BuildRecord& record : records) {
    for (const BuildRecordTarget& target : record.targets) {
      for (const BuildRecordStep& step : target.steps) {
        for (const oci::Digest& diff_id : step.diff_ids) steps.emplace(diff_id, &step);
      }
    }
  }
  LayerFacts facts;
  for (const AdvisedImage& image : images) {
    for (const PackageLayer& layer : image.packages.layers) facts.published.insert(layer.diff_id);
  }
  facts.compressed_bytes = [&](const oci::Digest& diff_id) -> std::optional<std::uint64_t> {
    const auto step = steps.find(diff_id);
    if (step == steps.end()) return std::nullopt;
    if (step->second->diff_ids.size() == 1) return step->second->bytes;
    const StepCache::Lookup found = cache.find(step->second->key);
    if (!found.record) return std::nullopt;
    for (const LayerValue& layer : found.record->layers) {
      if (layer.diff_id == diff_id && !layer.blobs.empty()) return layer.blobs.front().descriptor.size;
    }
    return std::nullopt;
  };
  facts.is_same_content = [&](const oci::Digest& before, const oci::Digest& after) -> std::optional<bool> {
    const auto old_index = indexes.find(before), new_index = indexes.find(after);
    if (!old_index || !new_index) return std::nullopt;
    return is_same_but_for_times(*old_index, *new_index);
  };
  std::vector<const BuildRecordTarget*> newest;
  for (const NewestBuild& build : builds) newest.push_back(build.target);
  return order_advice(records, newest, facts);
}

}  // namespace kiln::cli

#include "builder/steps/copy_step.hpp"

#include <set>
#include <string>
#include <utility>

#include "builder/cache/step_key.hpp"
#include "builder/layer/layer_writer.hpp"
#include "builder/run/growing_snapshot.hpp"

namespace kiln {

namespace {

void add_entry_inputs(const CopyPlan& plan, std::vector<RawInput>& inputs) {
  inputs.reserve(inputs.size() + plan.entries().size());
  for (const CopyPlan::Planned& item : plan.entries()) {
    const bool is_directory = item.entry.is_directory();
    const std::string path = is_directory || item.source_path.empty() ? "/" + item.entry.path : item.source_path;
    inputs.push_back(entry_input(input_name(is_directory ? InputType::directory : InputType::file, path), item.entry));
  }
}

// Brings here what the sources' files are read from.
std::optional<Blocked> bring_sources(const CopyPlan& plan) {
  std::set<const CopySource*> brought;
  for (const CopyPlan::Planned& item : plan.entries()) {
    if (!item.source || item.entry.size == 0 || !brought.insert(item.source).second) continue;
    if (auto blocked = item.source->bring()) return blocked;
  }
  return std::nullopt;
}

OrBlocked<std::vector<LayerValue>> write_layer(const CopyWork& work, LayerAccess& layers) {
  if (const auto blocked = bring_sources(work.plan)) return *blocked;
  LayerWriterOptions options;
  options.compression = work.compression;
  options.set_mtime = work.epoch;
  // The RUN will want this layer's files, too: they are unpacked while the layer is written.
  std::unique_ptr<GrowingSnapshot> folder;
  if (work.prepare_run) {
    work.prepare_run();
    folder = layers.folders().begin(work.plan.target());
    options.listener = [&](std::string_view tar) { folder->write(tar); };
  }
  LayerWriter writer(layers.store(), layers.pool(), options, layers.cancel());
  for (const CopyPlan::Planned& item : work.plan.entries()) {
    if (item.source && item.entry.size > 0) {
      item.source->add_file(writer, item.entry, item.source_path);
    } else {
      writer.add(item.entry);
    }
  }
  LayerValue layer = writer.finish();
  if (folder) layers.folders().end(std::move(folder), work.below, layer.diff_id);
  return std::vector<LayerValue>{std::move(layer)};
}

}  // namespace

Step copy_step(CopyWork work, LayerAccess& layers) {
  const auto shared = std::make_shared<CopyWork>(std::move(work));
  shared->plan.finish();
  const std::string times = shared->epoch ? std::to_string(*shared->epoch) : "keep";
  StepKeyBuilder key(to_string(shared->kind));
  key.text("times", times);
  for (const CopyPlan::Planned& item : shared->plan.entries()) key.entry(item.entry.path, item.entry);
  Step step;
  step.kind = shared->kind;
  step.key = key.finish();
  step.inputs = shared->inputs;
  step.inputs.push_back({input_name(InputType::times), times});
  step.add_inputs = [shared](std::vector<RawInput>& inputs) { add_entry_inputs(shared->plan, inputs); };
  step.execute = [shared, &layers](int, const LayerMade&) { return write_layer(*shared, layers); };
  return step;
}

}  // namespace kiln

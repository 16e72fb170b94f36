#include "builder/solve/stage_evaluator.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/credentials.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/cache/step_key.hpp"
#include "builder/dockerfile/excerpt.hpp"
#include "builder/dockerfile/mount.hpp"
#include "builder/dockerfile/parser.hpp"
#include "builder/dockerfile/pattern.hpp"
#include "builder/dockerfile/run_script.hpp"
#include "builder/layer/layer_writer.hpp"
#include "builder/run/growing_snapshot.hpp"
#include "builder/run/overlay.hpp"
#include "builder/solve/link_resolution.hpp"

namespace kiln {

namespace {

namespace df = dockerfile;

bool makes_step(const df::Instruction& instruction) {
  return std::holds_alternative<df::Run>(instruction.body) || std::holds_alternative<df::Copy>(instruction.body) ||
         std::holds_alternative<df::Add>(instruction.body) || std::holds_alternative<df::Workdir>(instruction.body);
}

bool makes_layer(const df::Instruction& instruction) {
  const auto* workdir = std::get_if<df::Workdir>(&instruction.body);
  return makes_step(instruction) &&
         (workdir == nullptr || (workdir->path != "/" && workdir->path.find('$') == std::string::npos));
}

// Whether the stage the target ends in is built on this one, or is it.
bool is_of_image(const PlannedTarget& target, std::size_t stage) {
  for (std::size_t at = target.final_stage; at != stage;) {
    const StageBase* below = std::get_if<StageBase>(&target.bases[at]);
    if (!below) return false;
    at = below->stage;
  }
  return true;
}

bool copies_from_context(const df::Instruction& instruction) {
  const auto* copy = std::get_if<df::Copy>(&instruction.body);
  return copy != nullptr && copy->from.empty() && !copy->paths.empty();
}

// What the COPYs of a stage take from the build context, as far as no variable and no flag hides it.
std::vector<std::string> patterns_of_context(const df::Stage& stage) {
  std::vector<std::string> patterns;
  for (const df::Instruction& instruction : stage.instructions) {
    const auto* copy = std::get_if<df::Copy>(&instruction.body);
    if (copy == nullptr || !copy->from.empty() || copy->parents || !copy->excludes.empty()) continue;
    for (const std::string& path : copy->paths) {
      if (path.find('$') == std::string::npos) patterns.push_back(path);
    }
  }
  return patterns;
}

std::string stage_name(const PlannedTarget& target, std::size_t number) {
  const std::string& name = target.dockerfile.stages[number].name;
  return name.empty() ? fmt::format("stage-{}", number) : name;
}

bool equals_stage(const std::vector<std::string>& names, const std::string& stage) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return equals_ignoring_case(name, stage); });
}

}  // namespace

StageEvaluator::StageEvaluator(const Plan& plan, const PlannedTarget& target, std::size_t stage,
                               StageEnvironment& environment, LayerAccess& access, BaseImages& bases,
                               StepExecutor& steps, RunSteps& runs, BuildObserver& observer,
                               const EvaluatorSettings& settings)
    : plan_(plan),
      target_(target),
      number_(stage),
      stage_(target.dockerfile.stages[stage]),
      environment_(environment),
      access_(access),
      bases_(bases),
      steps_(steps),
      runs_(runs),
      observer_(observer),
      settings_(settings) {}

StageResult StageEvaluator::evaluate() {
  step_count_ = static_cast<int>(std::count_if(stage_.instructions.begin(), stage_.instructions.end(), makes_step));
  const auto in_excerpt = [&](df::LineRange lines, const auto& body) {
    try {
      body();
    } catch (Error& error) {
      if (error.category() == Category::cancelled) throw;
      const std::string around =
          lines.first ? df::excerpt(target_.target.dockerfile_text, target_.target.dockerfile_name, lines) : "";
      Error located(error.category(),
                    lines.first ? fmt::format("{}:{}: {}", target_.target.dockerfile_name, lines.first, error.message())
                                : error.message());
      located.set_detail(around + (around.empty() || error.detail().empty() ? "" : "\n") + error.detail());
      throw located;
    }
  };
  // Listed and hashed while the base is asked for, fetched and unpacked. A context that is none, or an ignore file that
  // cannot be read, is no fault of the line that copies.
  if (std::any_of(stage_.instructions.begin(), stage_.instructions.end(), copies_from_context))
    environment_.context()->read_ahead(patterns_of_context(stage_));
  in_excerpt(stage_.lines, [&] { begin(); });
  if (const df::Instruction* over = first_layer_too_many()) {
    in_excerpt(over->lines, [] {
      throw Error(
          Category::build,
          fmt::format("this is layer {} of the image, expected at most {}: container engines start no image with "
                      "more; join steps, or copy the files of a stage into another one",
                      kMaxLayers + 1, kMaxLayers));
    });
  }
  in_excerpt(stage_.lines, [&] { run_triggers(); });
  for (const df::Instruction& instruction : stage_.instructions) {
    ++next_instruction_;
    in_excerpt(instruction.lines, [&] { apply(instruction); });
  }
  return std::move(*state_);
}

void StageEvaluator::begin() {
  const NameMeaning& base = target_.bases[number_];
  const auto from_image = [&](BaseImage image) {
    df::StageScope scope(*target_.scope, image.config.config.env);
    std::optional<BaseOrigin> origin;
    if (!image.reference.empty()) origin = BaseOrigin{image.reference, image.digest, image.config.platform};
    state_ = std::make_unique<StageResult>(
        StageResult{{std::move(image.config), std::move(scope)}, std::move(image.layers), std::move(origin)});
  };
  const auto from_stage = [&](const StageResult& other) {
    state_ = std::make_unique<StageResult>(other);
    state_->config.cmd_set_in_stage = false;
    // ARG shadows ENV only further down in its own stage: the image's environment is laid over what ARGs left.
    state_->config.scope.set_environment(state_->config.image.config.env);
  };
  const oci::Platform platform = platform_of_base(target_, number_);
  if (std::holds_alternative<ScratchBase>(base)) {
    BaseImage empty;
    // An empty image is for no platform; FROM --platform only chooses among images there are.
    empty.config.platform = target_.target.platform;
    const bool is_windows = empty.config.platform.os == "windows";
    if (!is_windows) empty.config.config.env = {std::string("PATH=") + kDefaultPath};
    empty.config.config.working_dir = is_windows ? "\\" : "/";
    from_image(std::move(empty));
  } else if (const auto* stage = std::get_if<StageBase>(&base)) {
    from_stage(*environment_.stage(stage->stage));
  } else if (const auto* fleet = std::get_if<FleetBase>(&base)) {
    const auto parent = environment_.target(fleet->target);
    BaseImage image;
    image.config = parent->config.image;
    image.layers = parent->layers;
    from_image(std::move(image));
    state_->base = parent->base;
  } else if (const auto* image = std::get_if<ImageBase>(&base)) {
    from_image(bases_.image(image->reference, platform));
  } else if (const auto* layout = std::get_if<LayoutBase>(&base)) {
    from_image(bases_.layout(*layout, platform));
  } else if (std::holds_alternative<DebianBase>(base)) {
    from_image(bases_.debian(*target_.target.debian, platform, target_.target.name));
  } else {
    throw Error(Category::usage,
                fmt::format("'{}' is a folder, and a stage cannot be built FROM one", stage_.base_name));
  }
  const bool has_default_path = state_->config.image.platform.os != "windows";
  if (has_default_path && !oci::env_value(state_->config.image.config.env, "PATH")) {
    state_->config.image.config.env.insert(state_->config.image.config.env.begin(),
                                           std::string("PATH=") + kDefaultPath);
    state_->config.scope = df::StageScope(*target_.scope, state_->config.image.config.env);
  }
}

// Counted where an image begins, with what is known of every stage up to the one that is exported: a WORKDIR whose
// folder a variable names may make none.
const df::Instruction* StageEvaluator::first_layer_too_many() const {
  if (!settings_.exports_images || std::holds_alternative<StageBase>(target_.bases[number_])) return nullptr;
  if (!is_of_image(target_, number_)) return nullptr;
  std::vector<std::size_t> stages = {target_.final_stage};
  while (stages.back() != number_) stages.push_back(std::get<StageBase>(target_.bases[stages.back()]).stage);
  std::size_t layers = state_->layers.size();
  for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
    for (const df::Instruction& instruction : target_.dockerfile.stages[*stage].instructions) {
      if (makes_layer(instruction) && ++layers > kMaxLayers) return &instruction;
    }
  }
  return nullptr;
}

void StageEvaluator::run_triggers() {
  std::vector<std::string> triggers;
  triggers.swap(state_->config.image.config.on_build);
  for (const std::string& trigger : triggers) {
    const df::Instruction instruction =
        df::parse_trigger(trigger, "ONBUILD of '" + stage_.base_name + "'", target_.dockerfile.directives.escape);
    if (makes_step(instruction)) ++step_count_;
    apply(instruction);
  }
}

void StageEvaluator::apply(const df::Instruction& instruction) {
  access_.cancel().check();
  settings_.stop.check();
  if (apply_config_instruction(state_->config, instruction)) return;
  const FetchingFor for_step(text_of(instruction));
  ++step_index_;
  if (const auto* run = std::get_if<df::Run>(&instruction.body)) return apply_run(instruction, *run);
  if (const auto* copy = std::get_if<df::Copy>(&instruction.body)) return apply_copy(instruction, *copy);
  if (const auto* add = std::get_if<df::Add>(&instruction.body)) return apply_add(instruction, *add);
  apply_workdir(instruction, std::get<df::Workdir>(instruction.body));
}

std::string StageEvaluator::text_of(const df::Instruction& instruction) const {
  std::string text = without_url_credentials(instruction.original);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

StepRequest StageEvaluator::new_step(const df::Instruction& instruction, std::string kind) const {
  StepRequest request;
  request.view.target = target_.target.name;
  request.view.stage = stage_name(target_, number_);
  request.view.platform = target_.target.platform.str();
  request.view.index = step_index_;
  request.view.count = step_count_;
  request.view.text = text_of(instruction);
  request.view.file = target_.target.dockerfile_name;
  request.view.line = instruction.lines.first;
  request.kind = std::move(kind);
  request.is_of_image = is_of_image(target_, number_);
  request.slot = fmt::format("{}|{}|{}|{}|{}", target_.target.dockerfile_name, target_.target.name,
                             target_.target.platform.str(), request.view.stage, step_index_);
  request.use_cache = settings_.use_cache && !target_.target.no_cache &&
                      !equals_stage(target_.target.no_cache_stages, request.view.stage);
  return request;
}

void StageEvaluator::add_layers(const StepDone& done, const StepRequest& request) {
  for (const LayerValue& value : done.record.layers) {
    ImageLayer layer;
    layer.value = value;
    layer.key = request.key;
    layer.file = request.view.file;
    layer.line = request.view.line;
    layer.text = request.view.text;
    state_->layers.push_back(std::move(layer));
  }
}

// The time of a layer in the history: that of its making, also where it comes from the cache.
std::string StageEvaluator::time_of(const StepDone& done) const {
  return settings_.times.epoch ? "" : done.record.created;
}

// The RUN that is executed after this instruction, if there is one; nullptr where nothing is to be executed at all.
const df::Instruction* StageEvaluator::next_run() const {
  if (steps_.only_looks_up()) return nullptr;
  const auto run = std::find_if(
      stage_.instructions.begin() + static_cast<std::ptrdiff_t>(next_instruction_), stage_.instructions.end(),
      [](const df::Instruction& later) { return std::holds_alternative<df::Run>(later.body); });
  return run == stage_.instructions.end() ? nullptr : &*run;
}

// What the instruction meets. A layer that nobody knows yet is unpacked while it is read for that, where a RUN will
// want its files.
MergedView StageEvaluator::below(const df::Instruction* run) {
  return access_.view(state_->layers,
                      run == nullptr || steps_.only_looks_up() ? LayerAccess::Files::later : LayerAccess::Files::soon);
}

// Called where a COPY has to be executed. Its layer is new, so the RUN steps on top of it are new as well (or their
// layers' bytes would have to be the same by chance), and what takes longest about the first of them is unpacking what
// lies below.
void StageEvaluator::prepare_folders() {
  const df::Instruction* run = next_run();
  if (folders_ahead_.valid() || state_->layers.empty() || run == nullptr) return;
  folders_ahead_ = std::async(std::launch::async, [&access = access_, layers = state_->layers, text = text_of(*run)] {
    const FetchingFor for_step(text);
    return access.folders(layers);
  });
}

void StageEvaluator::apply_run(const df::Instruction& instruction, const df::Run& run) {
  if (!run.devices.empty()) {
    throw Error(Category::usage,
                "RUN --device cannot be had: a device would make the layer depend on this machine; use it when the "
                "image runs, with 'docker run --device'");
  }
  StageConfig& config = state_->config;
  RunCommand command;
  command.platform = config.image.platform;
  command.working_dir = absolute_workdir("/", config.image.config.working_dir);
  const df::RunScript script = df::run_script(instruction);
  if (script.file) {
    // A script with an interpreter of its own is mounted and executed where nothing of an image stands.
    const std::string path = "/dev/pipes/" + script.file->name;
    command.argv = config.argv({df::CommandForm::shell, {path}});
    command.script = {path, script.file->content};
  } else {
    command.argv = config.argv({script.form, script.words});
  }
  for (const auto& [name, value] : df::proxy_environment(target_.scope->build_args()))
    command.proxies.push_back(name + "=" + value);
  for (const auto& [name, value] : config.scope.environment()) {
    const auto env = oci::env_value(config.image.config.env, name);
    // A proxy given as a build arg is no part of the step; the default of an ARG is as any other's.
    if (!env && oci::env_value(command.proxies, name)) continue;
    command.env.push_back(name + "=" + value);
    if (env == value) continue;
    command.args.insert(name);
    if (target_.target.profile && target_.target.profile->build_args.count(name)) command.profile_keys.insert(name);
  }
  command.user = resolve_user(config.image.config.user, below(&instruction));
  const df::VariableLookup lookup = config.scope.lookup();
  for (const std::string& options : run.mounts) {
    ResolvedMount mount{df::parse_mount(options, lookup, target_.dockerfile.directives.escape), nullptr};
    const bool takes_files = mount.options.type == df::MountType::bind ||
                             (mount.options.type == df::MountType::cache && !mount.options.from.empty());
    if (takes_files) {
      mount.source =
          mount.options.from.empty()
              ? environment_.context()
              : environment_.source(resolve_name(plan_, target_, mount.options.from, number_), mount.options.from);
    }
    if (!mount.options.target.empty())
      mount.options.target = absolute_workdir(command.working_dir, mount.options.target);
    command.mounts.push_back(std::move(mount));
  }
  complete_mounts(command.mounts);
  const std::string asked = run.network.empty() || run.network == "default" ? target_.target.network : run.network;
  command.network = asked == "none" ? RunNetwork::none : RunNetwork::host;
  command.security = run.security == "insecure" ? RunSecurity::insecure : settings_.security;
  command.shell = interactive_shell(config.shell());
  command.compression = target_.target.compression;
  command.secrets = &target_.target.secrets;
  command.ssh = &target_.target.ssh;

  StepRequest request = new_step(instruction, "run");
  request.key = runs_.key_of(command, state_->layers, request.inputs);
  request.execute = [&](int number) { return runs_.execute(command, state_->layers, number); };
  const std::string history = run_history(config, command.argv);
  const StepDone done = steps_.run(request);
  add_layers(done, request);
  add_layer_history(config, history, time_of(done));
}

void StageEvaluator::run_copy_step(const df::Instruction& instruction, CopyPlan& plan, const std::string& kind,
                                   std::vector<RawInput> inputs, std::string history) {
  const auto& planned = plan.finish();
  StepRequest request = new_step(instruction, kind);
  StepKeyBuilder key(kind);
  const std::string times = settings_.times.epoch ? std::to_string(*settings_.times.epoch) : "keep";
  key.text("times", times);
  plan.for_each_key_item([&](const std::vector<std::string>& item) { key.list("entry", item); });
  request.key = key.finish();
  request.inputs = std::move(inputs);
  request.inputs.push_back({"times of files", times});
  request.add_inputs = [&](std::vector<RawInput>& files) {
    files.reserve(files.size() + planned.size());
    for (const CopyPlan::Planned& item : planned) {
      const std::string name = item.entry.is_directory()
                                   ? "directory /" + item.entry.path
                                   : "file " + (item.source_path.empty() ? "/" + item.entry.path : item.source_path);
      files.push_back({name,
                       fmt::format("{}{} {:o} {}:{}", item.entry.content.str(), item.entry.link, item.entry.mode,
                                   item.entry.uid, item.entry.gid),
                       false});
    }
  };
  request.execute = [&](int) {
    prepare_folders();
    LayerWriterOptions options;
    options.compression = target_.target.compression;
    options.set_mtime = settings_.times.epoch;
    // The same RUN will want this layer's files, too: they are unpacked while the layer is written.
    std::unique_ptr<GrowingSnapshot> folder;
    if (next_run() != nullptr) {
      folder = access_.begin_folder(state_->layers);
      options.listener = [&](std::string_view tar) { folder->write(tar); };
    }
    LayerWriter writer(access_.store(), access_.pool(), options, access_.cancel());
    for (const CopyPlan::Planned& item : planned) {
      if (item.source && item.entry.size > 0) {
        item.source->add_file(writer, item.entry, item.source_path);
      } else {
        writer.add(item.entry);
      }
    }
    LayerValue layer = writer.finish();
    if (folder) access_.end_folder(std::move(folder), state_->layers, layer.diff_id);
    return std::vector<LayerValue>{std::move(layer)};
  };
  const StepDone done = steps_.run(request);
  add_layers(done, request);
  add_layer_history(state_->config, std::move(history), time_of(done));
}

std::string StageEvaluator::transfer_history(const df::Transfer& transfer, bool parents, bool is_add) const {
  std::string shown = is_add ? "ADD" : "COPY";
  if (parents) shown += " --parents";
  if (const std::string owner = expand(transfer.chown); !owner.empty()) shown += " --chown=" + owner;
  if (const std::string mode = expand(transfer.chmod); !mode.empty()) shown += " --chmod=" + mode;
  for (const std::string& path : transfer.paths) shown += " " + expand(path);
  for (const df::InlineFile& file : transfer.files) shown += " <<" + file.name;
  // The history goes out with the image.
  return without_url_credentials(shown) + " " + expand(transfer.destination) + " # buildkit";
}

void StageEvaluator::transfer(const df::Instruction& instruction, const df::Transfer& transfer, CopyOptions options,
                              const std::shared_ptr<CopySource>& source, bool is_add) {
  const MergedView below = this->below(next_run());
  if (!transfer.chown.empty()) options.owner = resolve_owner(expand(transfer.chown), below);
  // A variable without a value asks for nothing.
  if (const std::string mode = expand(transfer.chmod); !mode.empty()) {
    options.change_mode = parse_chmod(mode);
    // mkdir(2) knows permissions alone: set-id bits and the sticky one are for what is copied.
    options.made_directory_mode = octal_chmod(mode).value_or(options.made_directory_mode) & 0777;
  }
  options.excludes = transfer.excludes;
  options.link = transfer.link;

  const StageConfig& config = state_->config;
  std::string destination = expand(transfer.destination);
  const bool is_folder =
      destination.empty() || destination.ends_with('/') || destination == "." || destination.ends_with("/.");
  destination = absolute_workdir(config.image.config.working_dir, destination);
  if (is_folder && !destination.ends_with('/')) destination += '/';
  std::vector<std::string> paths;
  for (const std::string& path : transfer.paths) {
    const std::string expanded = expand(path);
    paths.push_back(expanded.empty() ? "." : expanded);  // all of the context, as for docker
  }
  CopyPlan plan(below, options);
  std::vector<RawInput> inputs = {{"command", text_of(instruction)}, {"destination", destination}};
  KeptSources kept;  // sources live until the layer is written
  for (const std::string& path : paths) {
    if (is_add) {
      add_source(plan, std::get<df::Add>(instruction.body), path, destination, source, kept);
    } else {
      plan.add(*source, path, destination);
    }
  }
  for (const std::string& note : plan.notes()) {
    observer_.warn(fmt::format("{}:{}: {}", target_.target.dockerfile_name, instruction.lines.first, note));
  }
  std::map<std::string, std::string> inline_files;
  for (const df::InlineFile& file : transfer.files) {
    inline_files[file.name] = file.expand ? config.scope.expand(file.content, df::Quotes::literal).text : file.content;
  }
  const InlineSource heredocs(inline_files);
  for (const df::InlineFile& file : transfer.files) plan.add(heredocs, file.name, destination);
  run_copy_step(instruction, plan, "copy", std::move(inputs), transfer_history(transfer, options.parents, is_add));
}

void StageEvaluator::apply_copy(const df::Instruction& instruction, const df::Copy& copy) {
  CopyOptions options;
  options.parents = copy.parents;
  std::shared_ptr<CopySource> source;
  if (copy.from.empty()) {
    source = copy.paths.empty() ? nullptr : environment_.context();
  } else {
    source = environment_.source(resolve_from(plan_, target_, copy.from, number_), copy.from);
  }
  transfer(instruction, copy, options, source, false);
}

void StageEvaluator::apply_add(const df::Instruction& instruction, const df::Add& add) {
  transfer(instruction, add, {}, add.paths.empty() ? nullptr : environment_.context(), true);
}

void StageEvaluator::apply_workdir(const df::Instruction& instruction, const df::Workdir& workdir) {
  StageConfig& config = state_->config;
  const std::string path = absolute_workdir(config.image.config.working_dir, expand(workdir.path));
  config.image.config.working_dir = workdir_as_written(config.image.config.working_dir, expand(workdir.path));
  if (path == "/") {
    config.image.history.push_back({"", "WORKDIR /", "", kHistoryComment, true});
    return;
  }
  const MergedView below = this->below(next_run());
  std::optional<Ownership> owner;
  if (!config.image.config.user.empty()) owner = resolve_owner(config.image.config.user, below);
  CopyPlan plan(below, {});
  plan.make_directory(path, owner);
  run_copy_step(instruction, plan, "workdir", {{"directory", path}}, "WORKDIR " + config.image.config.working_dir);
}

}  // namespace kiln

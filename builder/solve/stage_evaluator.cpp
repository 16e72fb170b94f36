#include "builder/solve/stage_evaluator.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/credentials.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/output.hpp"
#include "builder/definitions/profile.hpp"
#include "builder/definitions/target_words.hpp"
#include "builder/dockerfile/excerpt.hpp"
#include "builder/dockerfile/parser.hpp"
#include "builder/dockerfile/reads.hpp"
#include "builder/dockerfile/run_script.hpp"
#include "builder/dockerfile/stage_name.hpp"
#include "builder/run/overlay.hpp"
#include "builder/steps/fetched_source.hpp"
#include "builder/steps/image_source.hpp"
#include "builder/steps/link_resolution.hpp"

namespace kiln {

namespace {

namespace df = dockerfile;

bool makes_layer(const df::Instruction& instruction) {
  const auto* workdir = std::get_if<df::Workdir>(&instruction.body);
  return df::makes_step(instruction) &&
         (workdir == nullptr || (workdir->path != "/" && workdir->path.find('$') == std::string::npos));
}

bool becomes_image(const TargetSpec& target) {
  return target.outputs.empty() || std::any_of(target.outputs.begin(), target.outputs.end(),
                                               [](const auto& text) { return makes_image(parse_output(text).type); });
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

// A target is relative to WORKDIR, and WORKDIR itself where none is given. Secrets and agents have places of their own.
void place_mount(df::Mount& mount, const std::string& working_dir) {
  const bool has_own_place = mount.type == df::MountType::secret || mount.type == df::MountType::ssh;
  if (mount.target.empty() && has_own_place) return;
  // BuildKit's name for the cache of a mount that has neither target nor ID.
  if (mount.type == df::MountType::cache && mount.target.empty() && mount.id.empty()) mount.id = ".";
  mount.target = mount.target.empty() ? working_dir : absolute_workdir(working_dir, mount.target);
}

// The files that an instruction takes from the build context by COPY.
std::vector<std::string> copied_from_context(const df::Instruction& instruction) {
  if (!std::holds_alternative<df::Copy>(instruction.body)) return {};
  for (const df::Read& read : df::reads_of(instruction)) {
    if (read.is_of_context()) return read.paths;
  }
  return {};
}

// What the COPYs of a stage take from the build context, as far as no variable and no flag hides it.
std::vector<std::string> patterns_of_context(const df::Stage& stage) {
  std::vector<std::string> patterns;
  for (const df::Instruction& instruction : stage.instructions) {
    const auto* copy = std::get_if<df::Copy>(&instruction.body);
    if (copy == nullptr || copy->parents || !copy->excludes.empty()) continue;
    for (const std::string& path : copied_from_context(instruction)) {
      if (!df::has_variable(path)) patterns.push_back(path);
    }
  }
  return patterns;
}

// What made a layer, and what of that it holds where it is one of several: "RUN pip install torch # torch 2.3.1".
std::string with_part(const std::string& text, const LayerValue& layer) {
  return layer.part.empty() ? text : text + " # " + layer.part;
}

bool equals_stage(const std::vector<std::string>& names, const std::string& stage) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return equals_ignoring_case(name, stage); });
}

}  // namespace

StageEvaluator::StageEvaluator(const Plan& plan, StageId id, StageEnvironment& environment, const StageTools& tools,
                               const EvaluatorSettings& settings)
    : plan_(plan),
      target_(*plan.targets[id.target]),
      number_(id.stage),
      target_number_(id.target),
      stage_(target_.dockerfile.stages[id.stage]),
      environment_(environment),
      access_(tools.layers),
      tools_(tools),
      settings_(settings) {}

OrBlocked<StageResult> StageEvaluator::evaluate() {
  step_count_ = static_cast<int>(std::count_if(stage_.instructions.begin(), stage_.instructions.end(), df::makes_step));
  const auto in_excerpt = [&](df::LineRange lines, const auto& body) -> Progress {
    try {
      return body();
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
  const bool copies =
      std::any_of(stage_.instructions.begin(), stage_.instructions.end(),
                  [](const df::Instruction& instruction) { return !copied_from_context(instruction).empty(); });
  if (copies) environment_.context()->read_ahead(patterns_of_context(stage_));
  Progress blocked = in_excerpt(stage_.lines, [&] { return begin(); });
  if (const df::Instruction* over = blocked ? nullptr : first_layer_too_many()) {
    in_excerpt(over->lines, []() -> Progress {
      throw Error(
          Category::build,
          fmt::format("this is layer {} of the image, expected at most {}: container engines start no image with "
                      "more; join steps, or copy the files of a stage into another one",
                      kMaxLayers + 1, kMaxLayers));
    });
  }
  if (!blocked) blocked = in_excerpt(stage_.lines, [&] { return run_triggers(); });
  for (const df::Instruction& instruction : stage_.instructions) {
    if (blocked) break;
    ++next_instruction_;
    blocked = in_excerpt(instruction.lines, [&] { return apply(instruction); });
  }
  if (blocked) return *blocked;
  return std::move(*state_);
}

StageEvaluator::Progress StageEvaluator::begin() {
  const NameMeaning& base = target_.bases[number_];
  const auto from_image = [&](BaseImage image) {
    df::StageScope scope(*target_.scope, image.config.config.env);
    std::optional<BaseOrigin> origin;
    if (!image.reference.empty()) origin = BaseOrigin{image.reference, image.digest, image.config.platform};
    state_ = std::make_unique<StageResult>(StageResult{
        {std::move(image.config), std::move(scope)}, std::move(image.layers), std::move(origin), image.materials});
  };
  const auto from_stage = [&](const StageResult& other) {
    state_ = std::make_unique<StageResult>(other);
    state_->config.cmd_set_in_stage = false;
    // ARG shadows ENV only further down in its own stage: the image's environment is laid over what ARGs left.
    state_->config.scope.set_environment(state_->config.image.config.env);
  };
  const oci::Platform platform = platform_of_base(target_, number_);
  tools_.bases.note_taken({target_number_, base, platform, true});
  if (std::holds_alternative<ScratchBase>(base)) {
    BaseImage empty;
    // An empty image is for no platform; FROM --platform only chooses among images there are.
    empty.config.platform = target_.target.platform();
    const bool is_windows = empty.config.platform.os == "windows";
    if (!is_windows) empty.config.config.env = {std::string("PATH=") + kDefaultPath};
    empty.config.config.working_dir = is_windows ? "\\" : "/";
    from_image(std::move(empty));
  } else if (const auto* stage = std::get_if<StageBase>(&base)) {
    const StageEnvironment::Stage other = environment_.stage(stage->stage);
    if (other.is_blocked()) return other.blocked();
    from_stage(*other.value());
  } else if (const auto* fleet = std::get_if<FleetBase>(&base)) {
    const StageEnvironment::Stage parent = environment_.target(fleet->target);
    if (parent.is_blocked()) return parent.blocked();
    BaseImage image;
    image.config = parent.value()->config.image;
    image.layers = parent.value()->layers;
    image.materials = parent.value()->materials;
    const std::vector<std::string>& names = plan_.targets[fleet->target]->target.names;
    for (ImageLayer& layer : image.layers) layer.images.insert(layer.images.end(), names.begin(), names.end());
    from_image(std::move(image));
    state_->base = parent.value()->base;
  } else if (const auto* image = std::get_if<ImageBase>(&base)) {
    from_image(tools_.bases.image(image->reference, platform, pull_of(target_.target)));
  } else if (const auto* layout = std::get_if<LayoutBase>(&base)) {
    from_image(tools_.bases.layout(*layout, platform));
  } else if (std::holds_alternative<DebianBase>(base)) {
    OrBlocked<BaseImage> debian = tools_.bases.debian(*target_.target.debian, platform, target_.target.name);
    if (debian.is_blocked()) return debian.blocked();
    from_image(std::move(debian).value());
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
  return std::nullopt;
}

// Counted where an image begins, with what is known of every stage up to the one that is exported: a WORKDIR whose
// folder a variable names may make none.
const df::Instruction* StageEvaluator::first_layer_too_many() const {
  if (!becomes_image(target_.target) || std::holds_alternative<StageBase>(target_.bases[number_])) return nullptr;
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

StageEvaluator::Progress StageEvaluator::run_triggers() {
  std::vector<std::string> triggers;
  triggers.swap(state_->config.image.config.on_build);
  for (const std::string& trigger : triggers) {
    const df::Instruction instruction =
        df::parse_trigger(trigger, "ONBUILD of '" + stage_.base_name + "'", target_.dockerfile.directives.escape);
    if (df::makes_step(instruction)) ++step_count_;
    if (Progress blocked = apply(instruction)) return blocked;
  }
  return std::nullopt;
}

StageEvaluator::Progress StageEvaluator::apply(const df::Instruction& instruction) {
  settings_.stop.check();
  if (apply_config_instruction(state_->config, instruction)) return std::nullopt;
  ++step_index_;
  if (const auto* run = std::get_if<df::Run>(&instruction.body)) return apply_run(instruction, *run);
  if (const auto* copy = std::get_if<df::Copy>(&instruction.body)) return apply_copy(instruction, *copy);
  if (const auto* add = std::get_if<df::Add>(&instruction.body)) return apply_add(instruction, *add);
  return apply_workdir(instruction, std::get<df::Workdir>(instruction.body));
}

std::string StageEvaluator::text_of(const df::Instruction& instruction) const {
  std::string text = without_url_credentials(instruction.original);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

// Says where in the build a step stands.
void StageEvaluator::place(Step& step, const df::Instruction& instruction) const {
  step.view.target = target_.target.name;
  step.view.stage = df::display_name(target_.dockerfile, number_);
  step.view.platform = target_.target.platform().str();
  step.view.index = step_index_;
  step.view.count = step_count_;
  step.view.text = text_of(instruction);
  step.view.file = target_.target.dockerfile_name;
  step.view.line = instruction.lines.first;
  step.is_of_image = is_of_image(target_, number_);
  step.slot = fmt::format("{}|{}|{}|{}|{}", target_.target.dockerfile_name, target_.target.name,
                          target_.target.platform().str(), step.view.stage, step_index_);
  step.use_cache =
      settings_.use_cache && !target_.target.no_cache && !equals_stage(target_.target.no_cache_stages, step.view.stage);
}

void StageEvaluator::add_layers(const StepDone& done, const Step& step) {
  for (const LayerValue& value : done.record.layers) {
    ImageLayer layer;
    layer.value = value;
    layer.key = step.key;
    layer.file = step.view.file;
    layer.line = step.view.line;
    layer.text = with_part(step.view.text, value);
    state_->layers.push_back(std::move(layer));
  }
}

// The time of a layer in the history: that of its making, also where it comes from the cache.
std::string StageEvaluator::time_of(const StepDone& done) const {
  return settings_.times.epoch ? "" : done.record.created;
}

// The RUN that is executed after this instruction, if there is one; nullptr where nothing is to be executed at all.
const df::Instruction* StageEvaluator::next_run() const {
  if (!settings_.unpacks_ahead) return nullptr;
  const auto run = std::find_if(
      stage_.instructions.begin() + static_cast<std::ptrdiff_t>(next_instruction_), stage_.instructions.end(),
      [](const df::Instruction& later) { return std::holds_alternative<df::Run>(later.body); });
  return run == stage_.instructions.end() ? nullptr : &*run;
}

// What the instruction meets. A layer that is not known yet is unpacked while it is read for that, where a RUN will
// want its files.
OrBlocked<MergedView> StageEvaluator::below(const df::Instruction& instruction, const df::Instruction* run) {
  return access_.view(state_->layers,
                      run == nullptr || !settings_.unpacks_ahead ? LayerAccess::Files::later : LayerAccess::Files::soon,
                      text_of(instruction));
}

// Called where a COPY has to be executed. Its layer is new, so the RUN steps on top of it are new as well (or their
// layers' bytes would have to be the same by chance), and what takes longest about the first of them is unpacking what
// lies below.
void StageEvaluator::prepare_folders() {
  const df::Instruction* run = next_run();
  if (folders_ahead_.valid() || state_->layers.empty() || run == nullptr) return;
  folders_ahead_ = std::async(std::launch::async, [&access = access_, layers = state_->layers, text = text_of(*run)] {
    access.folders().of(layers, text);  // blocked, it is blocked again for the RUN
  });
}

StageEvaluator::Progress StageEvaluator::apply_run(const df::Instruction& instruction, const df::Run& run) {
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
  const auto profile_args =
      target_.target.profile ? profile_build_args(*target_.target.profile) : std::map<std::string, std::string>();
  for (const auto& [name, value] : config.scope.environment()) {
    const auto env = oci::env_value(config.image.config.env, name);
    // A proxy given as a build arg is no part of the step; the default of an ARG is as any other's.
    if (!env && oci::env_value(command.proxies, name)) continue;
    command.env.push_back(name + "=" + value);
    if (env == value) continue;
    command.args.insert(name);
    if (profile_args.count(name)) command.profile_keys.insert(name);
  }
  const std::string text = text_of(instruction);
  OrBlocked<MergedView> below = this->below(instruction, &instruction);
  if (below.is_blocked()) return below.blocked();
  command.user = resolve_user(config.image.config.user, below.value());
  for (const df::WrittenMount& written : run.mounts) {
    ResolvedMount mount{df::expand_mount(written, [this](std::string_view word) { return expand(word); }), nullptr};
    if (df::takes_files(mount.options)) {
      StageEnvironment::Source source =
          mount.options.from.empty() ? environment_.context()
                                     : environment_.source(resolve_name(plan_, target_, mount.options.from, number_),
                                                           mount.options.from, text);
      if (source.is_blocked()) return source.blocked();
      mount.source = std::move(source).value();
      note_materials(mount.source->materials());
    }
    place_mount(mount.options, command.working_dir);
    command.mounts.push_back(std::move(mount));
  }
  complete_mounts(command.mounts);
  command.network = network_of(run.network);
  command.where = fmt::format("{}:{}", target_.target.dockerfile_name, instruction.lines.first);
  command.security = run.security == SecurityMode::insecure ? RunSecurity::insecure : settings_.security;
  command.shell = interactive_shell(config.shell());
  command.compression = target_.target.layer_compression();
  command.extra_hosts = target_.target.extra_hosts;
  for (const std::string& limit : target_.target.ulimits) command.limits.push_back(parse_ulimit(limit));
  if (!target_.target.shm_size.empty())
    command.shm_bytes = parse_memory_size(target_.target.shm_size).value_or(command.shm_bytes);
  if (target_.target.rewrites_times) command.rewrite_times = settings_.times.epoch.value_or(kReproducibleEpoch);
  if (const LayerRules rules = target_.target.layer_rules(); rules.by == LayerRules::By::package) cut(command, rules);
  command.secrets = &target_.target.secrets;
  command.ssh = &target_.target.ssh;
  command.stop = settings_.stop;

  const std::string history = run_history(config, command.argv);
  Step step = tools_.runs.step(std::move(command), state_->layers, text);
  place(step, instruction);
  return take(step, history);
}

// What a RUN says itself goes before what the build says; but where the build says that all is recorded, a RUN may have
// less than that and not more.
RunNetwork StageEvaluator::network_of(NetworkMode own) const {
  const NetworkMode of_build = target_.target.network.value_or(NetworkMode::build);
  const NetworkMode asked = own == NetworkMode::build ? of_build : own;
  if (asked == NetworkMode::none) return RunNetwork::none;
  return of_build == NetworkMode::recorded ? RunNetwork::recorded : RunNetwork::host;
}

// Python writes bytecode that goes by a hash where this variable is set: by the time of its source, a package would not
// be the same twice.
void StageEvaluator::cut(RunCommand& command, const LayerRules& rules) const {
  const auto limit = static_cast<std::size_t>(rules.limit);
  const std::size_t below = state_->layers.size();
  const UnixSeconds time = settings_.times.epoch.value_or(kReproducibleEpoch);
  SettledTimes times{time, time + 1};
  if (command.rewrite_times) times.sources.reset();  // nothing is to be newer than that time
  command.cutting = LayerCutting{limit, limit > below ? limit - below : 1, times};
  constexpr const char* kEpochVariable = "SOURCE_DATE_EPOCH";
  if (!oci::env_value(command.env, kEpochVariable)) command.env.push_back(fmt::format("{}={}", kEpochVariable, time));
}

StageEvaluator::Progress StageEvaluator::take(const Step& step, const std::string& history) {
  const OrBlocked<StepDone> done = tools_.steps.solve(step);
  if (done.is_blocked()) return done.blocked();
  add_layers(done.value(), step);
  if (const auto& network = done.value().record.network) {
    for (const Download& download : network->downloads) {
      if (download.is_whole()) state_->materials.insert({download.url, download.digest->str()});
    }
  }
  for (const LayerValue& layer : done.value().record.layers)
    add_layer_history(state_->config, with_part(history, layer), time_of(done.value()));
  return std::nullopt;
}

StageEvaluator::Progress StageEvaluator::take_copy_step(const df::Instruction& instruction, CopyWork work,
                                                        const std::string& history) {
  work.epoch = settings_.times.epoch;
  work.compression = target_.target.layer_compression();
  work.below = state_->layers;
  if (next_run() != nullptr) work.prepare_run = [this] { prepare_folders(); };
  Step step = copy_step(std::move(work), access_);
  place(step, instruction);
  return take(step, history);
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

void StageEvaluator::note_materials(const Materials& materials) {
  state_->materials.insert(materials.begin(), materials.end());
}

void StageEvaluator::warn_of(const df::Instruction& instruction, const std::string& note) const {
  tools_.observer.warn(fmt::format("{}:{}: {}", target_.target.dockerfile_name, instruction.lines.first, note));
}

StageEvaluator::Progress StageEvaluator::transfer(const df::Instruction& instruction, const df::Transfer& transfer,
                                                  CopyOptions options, const std::shared_ptr<CopySource>& source) {
  OrBlocked<MergedView> view = this->below(instruction, next_run());
  if (view.is_blocked()) return view.blocked();
  const MergedView below = std::move(view).value();
  if (!transfer.chown.empty()) {
    const ResolvedOwner owner = resolve_owner(expand(transfer.chown), below);
    for (const std::string& note : owner.notes) warn_of(instruction, note);
    options.owner = owner;
  }
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
  CopyWork work{StepKind::copy, CopyPlan(below, options), {}, {}, {}, {}, {}, {}};
  work.inputs = {{input_name(InputType::command), text_of(instruction)},
                 {input_name(InputType::destination), destination}};
  if (source) work.sources.push_back(source);
  const auto* add = std::get_if<df::Add>(&instruction.body);
  AddOptions add_options;
  if (add) {
    add_options = {expand(add->checksum), add->keep_git_dir, add->unpack, SourceSecrets(target_.target.secrets),
                   std::make_shared<ImageSource>(access_, state_->layers, below, "the image", text_of(instruction))};
    work.sources.push_back(add_options.image);
    if (!add_options.checksum.empty() && paths.size() + transfer.files.size() != 1)
      throw Error(Category::usage, "--checksum is that of one source; ADD each source by an instruction of its own");
  }
  AddSources added(tools_.fetcher, access_, work.plan, work.sources, std::move(add_options));
  for (const std::string& path : paths) {
    if (add) {
      added.add(path, destination, source);
    } else if (is_http_url(path)) {
      throw Error(Category::usage, fmt::format("'{}' is a URL, which COPY does not take; use ADD",
                                               without_url_credentials(printable(path))));
    } else {
      work.plan.add(*source, path, destination);
    }
  }
  for (const auto& kept : work.sources) note_materials(kept->materials());
  for (const std::string& note : work.plan.notes()) warn_of(instruction, note);
  std::map<std::string, std::string> inline_files;
  for (const df::InlineFile& file : transfer.files) {
    inline_files[file.name] = file.expand ? config.scope.expand(file.content, df::Quotes::literal).text : file.content;
  }
  const auto heredocs = std::make_shared<InlineSource>(inline_files);
  work.sources.push_back(heredocs);
  for (const df::InlineFile& file : transfer.files) work.plan.add(*heredocs, file.name, destination);
  return take_copy_step(instruction, std::move(work), transfer_history(transfer, options.parents, add != nullptr));
}

StageEvaluator::Progress StageEvaluator::apply_copy(const df::Instruction& instruction, const df::Copy& copy) {
  CopyOptions options;
  options.parents = copy.parents;
  std::shared_ptr<CopySource> source;
  if (copy.from.empty()) {
    source = copy.paths.empty() ? nullptr : environment_.context();
  } else {
    StageEnvironment::Source found =
        environment_.source(resolve_name(plan_, target_, copy.from, number_), copy.from, text_of(instruction));
    if (found.is_blocked()) return found.blocked();
    source = std::move(found).value();
  }
  return transfer(instruction, copy, options, source);
}

StageEvaluator::Progress StageEvaluator::apply_add(const df::Instruction& instruction, const df::Add& add) {
  return transfer(instruction, add, {}, add.paths.empty() ? nullptr : environment_.context());
}

StageEvaluator::Progress StageEvaluator::apply_workdir(const df::Instruction& instruction, const df::Workdir& workdir) {
  StageConfig& config = state_->config;
  const bool is_windows = config.image.platform.os == "windows";
  const std::string written = is_windows ? with_slashes(expand(workdir.path)) : expand(workdir.path);
  const std::string path = absolute_workdir(config.image.config.working_dir, written);
  config.image.config.working_dir = workdir_as_written(config.image.config.working_dir, written);
  if (is_windows) {
    config.image.config.working_dir = path;
    std::replace(config.image.config.working_dir.begin(), config.image.config.working_dir.end(), '/', '\\');
  }
  if (path == "/") {
    config.image.history.push_back({"", "WORKDIR /", "", kHistoryComment, true});
    return std::nullopt;
  }
  OrBlocked<MergedView> view = this->below(instruction, next_run());
  if (view.is_blocked()) return view.blocked();
  const MergedView below = std::move(view).value();
  std::optional<Ownership> owner;
  if (!config.image.config.user.empty()) {
    const ResolvedOwner found = resolve_owner(config.image.config.user, below, "USER");
    for (const std::string& note : found.notes) warn_of(instruction, note);
    owner = found;
  }
  CopyWork work{StepKind::workdir, CopyPlan(below, {}), {}, {{"directory", path}}, {}, {}, {}, {}};
  work.plan.make_directory(path, owner);
  return take_copy_step(instruction, std::move(work), "WORKDIR " + config.image.config.working_dir);
}

}  // namespace kiln

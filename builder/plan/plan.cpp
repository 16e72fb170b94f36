#include "builder/plan/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/directives.hpp"
#include "builder/dockerfile/excerpt.hpp"
#include "builder/dockerfile/expansion.hpp"
#include "builder/dockerfile/parser.hpp"
#include "builder/dockerfile/reads.hpp"

namespace kiln {

namespace {

namespace df = dockerfile;

// A stage takes a thread, and what one needs is found by looking at all.
constexpr std::size_t kMaxStages = 1000;

[[noreturn]] void refuse(const PlannedTarget& planned, df::LineRange lines, std::string message) {
  Error error(Category::usage, fmt::format("{}:{}: {}", planned.target.dockerfile_name, lines.first, message));
  error.set_detail(df::excerpt(planned.target.dockerfile_text, planned.target.dockerfile_name, lines));
  throw error;
}

std::vector<std::string> stage_names(const df::Dockerfile& dockerfile, std::size_t before) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < before; ++i) {
    if (!dockerfile.stages[i].name.empty()) names.push_back(dockerfile.stages[i].name);
  }
  return names;
}

std::optional<std::size_t> find_stage(const df::Dockerfile& dockerfile, const std::string& name, std::size_t before) {
  const std::string wanted = to_lower(name);
  for (std::size_t i = before; i-- > 0;) {
    if (dockerfile.stages[i].name == wanted) return i;
  }
  return std::nullopt;
}

// Of targets that are one image, the one for a platform, else the first.
std::size_t for_platform(const Plan& plan, const std::vector<std::size_t>& targets, const oci::Platform& platform) {
  const auto same = std::find_if(targets.begin(), targets.end(), [&](std::size_t target) {
    return plan.targets[target]->target.platform() == platform;
  });
  return same == targets.end() ? targets.front() : *same;
}

NameMeaning meaning_of_context(const Plan& plan, const PlannedTarget& planned, const std::string& value) {
  if (value.starts_with("target:")) {
    const std::string name = value.substr(7);
    std::vector<std::string> known;
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < plan.targets.size(); ++i) {
      if (plan.targets[i]->target.name == name) found.push_back(i);
      known.push_back(plan.targets[i]->target.name);
    }
    if (!found.empty()) return FleetBase{for_platform(plan, found, planned.target.platform())};
    throw Error(Category::usage, fmt::format("context '{}' of target '{}': unknown target{}", value,
                                             planned.target.name, suggestion(name, known)));
  }
  constexpr std::string_view kImage = "docker-image://", kLayout = "oci-layout://";
  if (value == "docker-image://scratch") return ScratchBase{};
  if (value.starts_with(kImage)) return ImageBase{value.substr(kImage.size())};
  if (value.starts_with(kLayout)) {
    std::string path = value.substr(kLayout.size());
    std::string tag;
    if (const auto at = path.find('@'); at != std::string::npos) {
      tag = path.substr(at + 1);
      path.resize(at);
    } else if (const auto colon = path.rfind(':');
               colon != std::string::npos && path.find('/', colon) == std::string::npos) {
      tag = path.substr(colon + 1);
      path.resize(colon);
    }
    return LayoutBase{path, tag};
  }
  return FolderBase{value};
}

// The target of the fleet that is image `image` for the same profile as `planned`; an image without profiles serves
// all.
std::optional<std::size_t> fleet_target(const Plan& plan, const PlannedTarget& planned, const std::string& image) {
  std::vector<std::size_t> without_profile, of_profile;
  for (std::size_t i = 0; i < plan.targets.size(); ++i) {
    const TargetSpec& other = plan.targets[i]->target;
    if (other.image != image) continue;
    if (!other.profile) without_profile.push_back(i);
    if (other.profile && planned.target.profile && other.profile->name == planned.target.profile->name)
      of_profile.push_back(i);
  }
  const std::vector<std::size_t>& found = of_profile.empty() ? without_profile : of_profile;
  if (found.empty()) return std::nullopt;
  return for_platform(plan, found, planned.target.platform());
}

std::vector<std::string> image_names(const Plan& plan) {
  std::set<std::string> names;
  for (const auto& planned : plan.targets) names.insert(planned->target.image);
  return {names.begin(), names.end()};
}

bool has_image(const Plan& plan, const std::string& image) {
  return std::any_of(plan.targets.begin(), plan.targets.end(),
                     [&](const auto& planned) { return planned->target.image == image; });
}

// Why a target has no parent in an image of the fleet: the image is built for other profiles.
std::string no_parent_for(const Plan& plan, const TargetSpec& child, const std::string& image) {
  std::vector<std::string> profiles;
  ImageKind kind = ImageKind::base;
  for (const auto& planned : plan.targets) {
    const TargetSpec& other = planned->target;
    if (other.image != image || !other.profile) continue;
    kind = other.kind;
    if (std::find(profiles.begin(), profiles.end(), other.profile->name) == profiles.end())
      profiles.push_back(other.profile->name);
  }
  if (child.profile) {
    return fmt::format("parent '{}' is not built for profile '{}', but for {}; add it to the \"profiles\" of '{}'",
                       image, child.profile->name, join(profiles, ", "), image);
  }
  const bool is_upside_down = kind == ImageKind::service && child.kind != ImageKind::service;
  return fmt::format(
      "parent '{}' is {}built for each of its profiles ({}), and '{}' {}once, without one, so it has no "
      "'{}' to be built from; add \"profiles\": [\"{}\"] to '{}', or move what both need into a base that "
      "'{}' is FROM too",
      image, is_upside_down ? "a service, which is " : "", join(profiles, ", "), child.image,
      is_upside_down ? "is a base, which is built " : "", image, join(profiles, "\", \""), child.image, image);
}

// The fleet's image that a reference names, or why it is none: nullopt and, where it looks like one, a note.
std::optional<NameMeaning> fleet_meaning(const Plan& plan, const PlannedTarget& planned, const std::string& name,
                                         std::vector<std::string>& notes) {
  const FleetNames& names = plan.names;
  const bool is_bare = name.find_first_of("/:@") == std::string::npos;
  if (is_bare && names.bare_names == BareNames::external) return std::nullopt;
  std::string image = name;
  if (!is_bare) {
    if (names.registry_and_namespace.empty()) return std::nullopt;
    const oci::Reference reference = oci::Reference::parse(name);
    const std::string prefix = names.registry_and_namespace + "/";
    if (!reference.name().starts_with(prefix)) return std::nullopt;
    image = reference.name().substr(prefix.size());
    const bool own_tag =
        !reference.digest && (!reference.tag || *reference.tag == "latest" || names.tags.count(*reference.tag));
    if (!has_image(plan, image)) {
      if (names.bare_names == BareNames::fleet_only && own_tag) {
        throw Error(Category::usage, fmt::format("unknown parent '{}'{}", name, suggestion(image, image_names(plan))));
      }
      return std::nullopt;
    }
    if (!own_tag) {
      notes.push_back(
          fmt::format("{}: '{}' names an image of this fleet with a tag or digest of its own, so it is taken "
                      "from the registry and not built",
                      planned.target.dockerfile_name, name));
      return std::nullopt;
    }
  }
  if (has_image(plan, image)) {
    if (const auto target = fleet_target(plan, planned, image)) return FleetBase{*target};
    throw Error(Category::usage, no_parent_for(plan, planned.target, image));
  }
  if (is_bare) {
    throw Error(Category::usage,
                fmt::format("unknown parent '{}' (an image of Docker Hub is written docker.io/library/{}:TAG){}",
                            printable(name), printable(name), suggestion(name, image_names(plan))));
  }
  return std::nullopt;
}

NameMeaning resolve(const Plan& plan, const PlannedTarget& planned, const std::string& name, std::size_t before_stage,
                    std::vector<std::string>& notes) {
  const std::string wanted = context_key(name);
  for (const auto& [context, value] : planned.target.contexts) {
    if (context_key(context) == wanted) return meaning_of_context(plan, planned, value);
  }
  if (const auto stage = find_stage(planned.dockerfile, name, before_stage)) return StageBase{*stage};
  if (name == "scratch") return ScratchBase{};
  if (planned.target.debian && name == "debian") return DebianBase{};
  if (auto fleet = fleet_meaning(plan, planned, name, notes)) return *fleet;
  return ImageBase{name};
}

// The front end that a build asks for, by BUILDKIT_SYNTAX or in its Dockerfile, is said where it is not docker's.
void note_foreign_front_end(const TargetSpec& target, std::vector<std::string>& notes) {
  const auto given = target.args.find("BUILDKIT_SYNTAX");
  const auto directive = df::detect_syntax(target.dockerfile_text);
  const bool is_given = given != target.args.end() && !given->second.empty();
  if (!is_given && !directive) return;
  const std::string& front_end = is_given ? given->second : directive->value;
  if (df::is_docker_front_end(front_end)) return;
  const std::string place =
      is_given ? "BUILDKIT_SYNTAX" : fmt::format("{}:{}", printable(target.dockerfile_name), directive->line);
  notes.push_back(fmt::format("{} asks for the front end '{}': kiln runs none and reads the file as docker/dockerfile",
                              place, printable(front_end)));
}

void note_stray_directives(const TargetSpec& target, std::vector<std::string>& notes) {
  for (const df::StrayDirective& stray : df::stray_directives(target.dockerfile_text)) {
    const std::string why = stray.meant ? fmt::format("no directive; did you mean '{}'?", *stray.meant)
                                        : std::string("a comment here: directives stand above all else in the file");
    notes.push_back(
        fmt::format("{}:{}: '# {}=' is {}", printable(target.dockerfile_name), stray.line, printable(stray.name), why));
  }
}

// A whole number, with a sign or without: in --from it is a stage's place and never a name.
std::optional<std::int64_t> stage_index(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  const auto number = parse_unsigned(text);
  if (!number || *number > INT32_MAX) return std::nullopt;
  return is_negative ? -static_cast<std::int64_t>(*number) : static_cast<std::int64_t>(*number);
}

std::string name_of_stage(const PlannedTarget& planned, std::size_t stage) {
  const std::string& name = planned.dockerfile.stages[stage].name;
  return name.empty() ? std::to_string(stage) : name;
}

// Error{usage}, in BuildKit's words, where a stage takes files from itself or from one below it.
void refuse_stage_below(const PlannedTarget& planned, std::size_t source, std::size_t stage) {
  if (source == stage) {
    throw Error(Category::usage,
                fmt::format("circular dependency detected on stage: {}", name_of_stage(planned, stage)));
  }
  if (source > stage) {
    throw Error(Category::usage,
                fmt::format("cannot copy from stage '{}', it needs to be defined before current stage '{}'",
                            name_of_stage(planned, source), name_of_stage(planned, stage)));
  }
}

// The stage that a number in --from means to stage `stage`.
StageBase numbered_stage(const PlannedTarget& planned, std::int64_t index, std::size_t stage) {
  const std::size_t count = planned.dockerfile.stages.size();
  if (index < 0 || index >= static_cast<std::int64_t>(count)) {
    throw Error(Category::usage,
                fmt::format("invalid stage index {}: --from counts the stages of this Dockerfile from 0 to {}", index,
                            count - 1));
  }
  const StageBase base{static_cast<std::size_t>(index)};
  refuse_stage_below(planned, base.stage, stage);
  return base;
}

// The same for a name that files are taken from: a number is the stage of that place, unless it is the name of a
// context that a mount means.
NameMeaning resolve_source(const Plan& plan, const PlannedTarget& planned, const std::string& name,
                           std::size_t before_stage, std::vector<std::string>& notes) {
  const auto index = stage_index(name);
  const bool is_above = index && *index >= 0 && *index < static_cast<std::int64_t>(before_stage);
  if (index && (is_above || planned.target.contexts.count(name) == 0))
    return numbered_stage(planned, *index, before_stage);
  return resolve(plan, planned, name, before_stage, notes);
}

std::unique_ptr<PlannedTarget> read_target(TargetSpec target, const SecretValues& secrets) {
  auto planned = std::make_unique<PlannedTarget>();
  planned->target = std::move(target);
  const TargetSpec& t = planned->target;
  planned->dockerfile = df::parse(t.dockerfile_text, t.dockerfile_name);
  if (const auto& stages = planned->dockerfile.stages; stages.size() > kMaxStages) {
    refuse(*planned, stages[kMaxStages].lines,
           fmt::format("a Dockerfile may have {} stages, and this one has {}", kMaxStages, stages.size()));
  }
  df::BuildArgs args(t.args.begin(), t.args.end());
  const std::string target_stage = t.stage.empty() ? planned->dockerfile.stages.back().name : t.stage;
  planned->scope =
      std::make_unique<df::GlobalScope>(std::move(args), parts_of(oci::Platform::host()), parts_of(t.platform()),
                                        target_stage, planned->dockerfile.directives.escape);
  planned->scope->tell(secrets);
  for (const df::Instruction& instruction : planned->dockerfile.global_args) {
    planned->scope->declare(std::get<df::Arg>(instruction.body));
  }
  const auto& stages = planned->dockerfile.stages;
  planned->final_stage = stages.size() - 1;
  if (!t.stage.empty()) {
    const auto number = parse_unsigned(t.stage);
    const auto named = find_stage(planned->dockerfile, t.stage, stages.size());
    if (!named && !(number && *number < stages.size())) {
      throw Error(Category::usage, fmt::format("{}: there is no stage '{}'{}", t.dockerfile_name, printable(t.stage),
                                               suggestion(t.stage, stage_names(planned->dockerfile, stages.size()))));
    }
    planned->final_stage = named ? *named : static_cast<std::size_t>(*number);
  }
  return planned;
}

// A number in a mount's from= is the name of an image for docker, which hardly anybody means.
void refuse_numbered_mounts(const PlannedTarget& planned, const df::Instruction& instruction) {
  for (const df::Read& read : df::reads_of(instruction)) {
    const std::string& from = read.from;
    const bool is_mount = read.by != df::Read::By::transfer;
    if (!is_mount || !parse_unsigned(from) || planned.target.contexts.count(from) != 0) continue;
    throw Error(
        Category::usage,
        fmt::format("--mount: from={0} is no stage: only COPY --from takes a stage's number; give the stage a name, "
                    "'FROM ... AS NAME', and say from=NAME",
                    from));
  }
}

// --from and --target find a stage in any case, but FROM in lower case only: docker takes another spelling for an
// image.
void refuse_capitals(const NameMeaning& meaning, const std::string& name) {
  const std::string lower = to_lower(name);
  if (!std::holds_alternative<StageBase>(meaning) || name == lower) return;
  throw Error(
      Category::usage,
      fmt::format("failed to parse stage name \"{}\": invalid reference format: names of images are lower case, and "
                  "the stage is called '{}'",
                  printable(name), printable(lower)));
}

// A reference that cannot be one is told as the Dockerfile spells it, since a variable without a value is what mostly
// makes it so.
void refuse_bad_reference(const NameMeaning& meaning, const std::string& written, const std::string& name) {
  if (!std::holds_alternative<ImageBase>(meaning) || written == name) return;
  try {
    oci::Reference::parse(name);
  } catch (const Error& error) {
    throw Error(Category::usage,
                fmt::format("failed to parse stage name \"{}\": invalid reference format: '{}' became '{}' ({}); give "
                            "its ARG a value with --build-arg or a default above the first FROM",
                            printable(name), printable(written), printable(name), error.message()));
  }
}

// The stage of this Dockerfile that has a name which no stage above has.
void refuse_stage_below(const PlannedTarget& planned, const std::string& source, std::size_t stage) {
  const auto other = find_stage(planned.dockerfile, source, planned.dockerfile.stages.size());
  if (other && !find_stage(planned.dockerfile, source, stage)) refuse_stage_below(planned, *other, stage);
}

// The number of a parent's target for a platform; it is added to the plan where none is there.
std::size_t parent_for(Plan& plan, std::size_t parent, const oci::Platform& platform) {
  const TargetSpec& known = plan.targets[parent]->target;
  if (known.platform() == platform) return parent;
  for (std::size_t i = 0; i < plan.targets.size(); ++i) {
    const TargetSpec& other = plan.targets[i]->target;
    if (other.name == known.name && other.platform() == platform) return i;
  }
  TargetSpec target = known;
  target.platforms = {platform};
  target.names.clear();
  plan.targets.push_back(read_target(std::move(target), plan.secrets));
  plan.targets.back()->is_for_children = true;
  return plan.targets.size() - 1;
}

void resolve_stages(Plan& plan, PlannedTarget& planned) {
  const auto& stages = planned.dockerfile.stages;
  planned.needs.resize(stages.size());
  std::vector<std::set<std::size_t>> fleet(stages.size());
  const auto note = [&](std::size_t stage, NameMeaning& meaning, const oci::Platform& platform) {
    if (const auto* base = std::get_if<StageBase>(&meaning)) planned.needs[stage].insert(base->stage);
    auto* base = std::get_if<FleetBase>(&meaning);
    if (!base) return;
    const bool is_asked_for = planned.target.platform_is_asked_for() || !stages[stage].platform.empty();
    if (is_asked_for) base->target = parent_for(plan, base->target, platform);
    fleet[stage].insert(base->target);
  };
  struct Problem {
    Error error;
    df::LineRange lines;
  };
  std::vector<std::optional<Problem>> problems(stages.size());
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const df::Stage& stage = stages[i];
    NameMeaning base = ScratchBase{};
    df::LineRange lines = stage.lines;
    try {
      const std::string name = planned.scope->expand(stage.base_name).text;
      if (name.empty()) {
        throw Error(Category::usage, fmt::format("base name ({}) should not be blank", stage.base_name));
      }
      base = resolve(plan, planned, name, i, plan.notes);
      refuse_capitals(base, name);
      refuse_bad_reference(base, stage.base_name, name);
      note(i, base, std::holds_alternative<FleetBase>(base) ? platform_of_base(planned, i) : oci::Platform());
      for (const df::Instruction& instruction : stage.instructions) {
        lines = instruction.lines;
        refuse_numbered_mounts(planned, instruction);
        for (const std::string& source : df::names_read(instruction)) {
          NameMeaning meaning = resolve_source(plan, planned, source, i, plan.notes);
          if (std::holds_alternative<ImageBase>(meaning)) refuse_stage_below(planned, source, i);
          note(i, meaning, planned.target.platform());
        }
      }
    } catch (const Error& error) {
      problems[i] = Problem{error, lines};
    }
    planned.bases.push_back(std::move(base));
  }
  for (const std::size_t stage : needed_stages(planned)) {
    // A stage that is not needed may name what it likes.
    if (problems[stage]) refuse(planned, problems[stage]->lines, problems[stage]->error.message());
    planned.fleet_parents.insert(fleet[stage].begin(), fleet[stage].end());
  }
}

}  // namespace

std::string context_key(const std::string& name) {
  const auto reference = oci::Reference::parse_if_valid(to_lower(name));
  return reference ? reference->str() : to_lower(name);
}

std::set<std::size_t> needed_stages(const PlannedTarget& target) {
  std::set<std::size_t> stages;
  std::vector<std::size_t> open_ends = {target.final_stage};
  while (!open_ends.empty()) {
    const std::size_t stage = open_ends.back();
    open_ends.pop_back();
    if (stages.insert(stage).second)
      open_ends.insert(open_ends.end(), target.needs[stage].begin(), target.needs[stage].end());
  }
  return stages;
}

oci::Platform platform_of_base(const PlannedTarget& target, std::size_t stage) {
  const std::string& written = target.dockerfile.stages[stage].platform;
  if (written.empty()) return target.target.platform();
  return oci::Platform::parse(target.scope->expand(written).text);
}

NameMeaning resolve_name(const Plan& plan, const PlannedTarget& target, const std::string& name,
                         std::size_t before_stage) {
  std::vector<std::string> notes;  // they were given when the plan was made
  return resolve_source(plan, target, name, before_stage, notes);
}

TargetSpec left_out(const TargetSpec& target, const Error& error) {
  TargetSpec result = target;
  result.dockerfile_text = "FROM scratch\n";
  result.stage.clear();
  result.problems = {error.message()};
  return result;
}

namespace {

// Several errors as one, each of them once: an image of several profiles has one Dockerfile.
Error all_of(const std::vector<Error>& errors) {
  std::vector<std::string> messages;
  std::string details;
  for (const Error& error : errors) {
    if (std::find(messages.begin(), messages.end(), error.message()) != messages.end()) continue;
    messages.push_back(error.message());
    if (!details.empty() && !error.detail().empty()) details += '\n';
    details += error.detail();
  }
  return Error(errors.front().category(), join(messages, "\n")).set_detail(details);
}

void add_targets(Plan& plan, const std::vector<TargetSpec>& targets,
                 const std::function<bool(const TargetSpec&)>& may_be_left_out) {
  std::vector<Error> refused;
  // What `read` returns, or the stand-in of a target that it cannot be done for.
  const auto or_left_out = [&](const TargetSpec& target, const std::function<void()>& read,
                               const std::function<void(std::unique_ptr<PlannedTarget>)>& take) {
    try {
      read();
    } catch (const Error& error) {
      if (error.category() != Category::usage) throw;
      if (may_be_left_out && may_be_left_out(target)) {
        plan.notes.push_back(
            fmt::format("'{}' is left out, and what is built from it: {}", printable(target.name), error.message()));
      } else {
        refused.push_back(error);
      }
      take(read_target(left_out(target, plan.secrets.masked(error)), plan.secrets));
    }
  };
  for (const TargetSpec& target : targets) {
    note_foreign_front_end(target, plan.notes);
    note_stray_directives(target, plan.notes);
    or_left_out(
        target, [&] { plan.targets.push_back(read_target(target, plan.secrets)); },
        [&](std::unique_ptr<PlannedTarget> stand_in) { plan.targets.push_back(std::move(stand_in)); });
  }
  for (std::size_t i = 0; i < plan.targets.size(); ++i) {
    or_left_out(
        plan.targets[i]->target, [&] { resolve_stages(plan, *plan.targets[i]); },
        [&](std::unique_ptr<PlannedTarget> stand_in) {
          plan.targets[i] = std::move(stand_in);
          resolve_stages(plan, *plan.targets[i]);
        });
  }
  if (!refused.empty()) throw all_of(refused);
  std::sort(plan.notes.begin(), plan.notes.end());
  plan.notes.erase(std::unique(plan.notes.begin(), plan.notes.end()), plan.notes.end());
  plan.order();  // throws for a cycle
}

// Of a plan; what definitions and names of images say is none.
SecretValues secrets_of(const std::vector<TargetSpec>& targets, const FleetNames& names) {
  SecretValues secrets;
  for (const TargetSpec& target : targets) secrets.add({target.args.begin(), target.args.end()});
  secrets.add_public(names.registry_and_namespace);
  for (const TargetSpec& target : targets) {
    for (const std::string& text : {target.name, target.image, target.dockerfile_name, target.dockerfile_text})
      secrets.add_public(text);
    for (const std::string& name : target.names) secrets.add_public(name);
    if (target.context) secrets.add_public(target.context->native());
  }
  return secrets;
}

}  // namespace

Plan make_plan(const std::vector<TargetSpec>& targets, const FleetNames& names,
               const std::function<bool(const TargetSpec&)>& may_be_left_out) {
  Plan plan;
  plan.names = names;
  plan.secrets = secrets_of(targets, names);
  plan.secrets.guard([&] { add_targets(plan, targets, may_be_left_out); });
  for (std::string& note : plan.notes) note = plan.secrets.masked(note);
  return plan;
}

std::vector<std::size_t> Plan::order() const {
  enum class Mark { none, open, done };
  std::vector<Mark> marks(targets.size(), Mark::none);
  std::vector<std::size_t> result, path;
  const std::function<void(std::size_t)> visit = [&](std::size_t target) {
    if (marks[target] == Mark::done) return;
    if (marks[target] == Mark::open) {
      std::vector<std::string> cycle;
      for (auto it = std::find(path.begin(), path.end(), target); it != path.end(); ++it)
        cycle.push_back(targets[*it]->target.name);
      cycle.push_back(targets[target]->target.name);
      const PlannedTarget& planned = *targets[target];
      refuse(planned, planned.dockerfile.stages[0].lines,
             fmt::format("images are built from one another in a cycle: {}", join(cycle, " -> ")));
    }
    marks[target] = Mark::open;
    path.push_back(target);
    for (const std::size_t parent : targets[target]->fleet_parents) visit(parent);
    path.pop_back();
    marks[target] = Mark::done;
    result.push_back(target);
  };
  for (std::size_t i = 0; i < targets.size(); ++i) visit(i);
  return result;
}

std::set<std::size_t> Plan::closure(const std::set<std::size_t>& wanted) const {
  std::set<std::size_t> result;
  std::vector<std::size_t> open_ends(wanted.begin(), wanted.end());
  while (!open_ends.empty()) {
    const std::size_t target = open_ends.back();
    open_ends.pop_back();
    if (!result.insert(target).second) continue;
    for (const std::size_t parent : targets[target]->fleet_parents) open_ends.push_back(parent);
  }
  return result;
}

df::PlatformParts parts_of(const oci::Platform& platform) {
  return {platform.os, platform.architecture, platform.variant};
}

}  // namespace kiln

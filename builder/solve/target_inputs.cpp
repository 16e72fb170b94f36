#include "builder/solve/target_inputs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/secret_values.hpp"
#include "builder/cache/step_key.hpp"
#include "builder/debian/debian_spec.hpp"
#include "builder/debian/lock.hpp"
#include "builder/definitions/bake/attributes.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "builder/dockerfile/ignore.hpp"
#include "builder/dockerfile/reads.hpp"
#include "builder/dockerfile/text_file.hpp"
#include "builder/steps/copy_plan.hpp"
#include "builder/steps/fetched_source.hpp"
#include "builder/steps/git_source.hpp"
#include "builder/steps/link_resolution.hpp"

namespace kiln {

namespace {

namespace df = dockerfile;

std::vector<std::string> pairs_of(const std::map<std::string, std::string>& map) {
  std::vector<std::string> items;
  for (const auto& [name, value] : map) {
    items.push_back(name);
    items.push_back(value);
  }
  return items;
}

// What of the build context a target's stages name.
struct ContextUse {
  bool everything = false;
  std::set<std::string> patterns;
};

// Whether what is built from an image may copy from its own context by the image's ONBUILD.
bool has_triggers(const PlannedTarget& planned) {
  return std::any_of(planned.dockerfile.stages.begin(), planned.dockerfile.stages.end(), [](const df::Stage& stage) {
    return std::any_of(stage.instructions.begin(), stage.instructions.end(), [](const df::Instruction& instruction) {
      return std::holds_alternative<df::Onbuild>(instruction.body);
    });
  });
}

class InputsOfTarget {
 public:
  InputsOfTarget(const Plan& plan, const PlannedTarget& planned, const InputSettings& settings, const HashTools& tools)
      : plan_(plan), planned_(planned), target_(planned.target), settings_(settings), tools_(tools), key_("inputs") {}

  TargetInputs find(const std::vector<TargetInputs>& known) {
    key_.text("kiln", settings_.kiln_version).text("image", target_.image).text("dockerfile", target_.dockerfile_text);
    for (const bake::Attribute& attribute : bake::attributes()) {
      if (!attribute.is_input) continue;
      const auto value = attribute.value_of(target_, {});
      if (value) key_.text("attribute." + std::string(attribute.name), hcl::to_json_text(*value));
    }
    if (target_.profile) {
      std::vector<std::string> env;
      for (const auto& [name, value] : target_.profile->env) {
        env.push_back(name);
        env.push_back(value);
      }
      key_.text("profile", target_.profile->name)
          .list("profile.values", pairs_of(target_.profile->values))
          .list("profile.env", env);
    }
    key_.text("platform", target_.platform().str()).text("compression", target_.layer_compression().str());
    if (const LayerRules rules = target_.layer_rules(); rules.by == LayerRules::By::package)
      key_.list("layers", {"package", std::to_string(rules.limit)});
    key_.text("times", settings_.times.epoch ? std::to_string(*settings_.times.epoch) : "keep");
    if (!settings_.times.epoch) leave_open("its files keep the times they have on disk");
    for (const std::size_t parent : planned_.fleet_parents) {
      if (has_triggers(*plan_.targets[parent])) use_.everything = true;
      key_.text("parent", known[parent].hash);
      if (!known[parent].open.empty())
        leave_open(fmt::format("'{}': {}", plan_.targets[parent]->target.name, known[parent].open));
    }
    for (const std::size_t stage : needed_stages(planned_)) add_stage(stage);
    add_contexts();
    result_.hash = key_.finish();
    return std::move(result_);
  }

 private:
  void leave_open(std::string why) {
    if (result_.open.empty()) result_.open = std::move(why);
  }

  void add_meaning(const NameMeaning& meaning) {
    if (const auto* image = std::get_if<ImageBase>(&meaning)) {
      add_image(image->reference);
    } else if (const auto* layout = std::get_if<LayoutBase>(&meaning)) {
      key_.text("layout", layout->tag);
      leave_open(fmt::format("the OCI layout '{}' may change", layout->folder.native()));
    } else if (std::holds_alternative<DebianBase>(meaning)) {
      add_debian();
    } else if (const auto* folder = std::get_if<FolderBase>(&meaning)) {
      folders_.insert(folder->folder);
    }
  }

  void add_image(const std::string& name) {
    const oci::Reference reference = oci::Reference::parse(name);
    std::optional<std::string> digest;
    if (reference.digest) {
      digest = reference.digest->str();
    } else if (!settings_.lock_file.empty()) {
      digest = Lock::read(settings_.lock_file).find_image(reference.str(), target_.platform().str());
    }
    key_.text("base", digest.value_or(reference.str()));
    if (!digest)
      leave_open(fmt::format("'{}' is a tag that may move; name a digest or lock it with 'kiln lock'", name));
  }

  void add_debian() {
    const DebianRequest& request = *target_.debian;
    DebianSpec spec;
    spec.suite = request.suite;
    spec.variant = request.variant;
    spec.include = request.include;
    if (!request.components.empty()) spec.components = request.components;
    spec.architecture = debian_architecture(target_.platform().architecture, target_.platform().variant);
    spec.normalize();
    const Lock lock = settings_.lock_file.empty() ? Lock() : Lock::read(settings_.lock_file);
    const DebianLock* entry = lock.find_debian(request.lock_name);
    const bool fits = entry && spec_digest(entry->spec) == spec_digest(spec);
    key_.text("debian", fits ? lock_digest(*entry) : spec_digest(spec));
    if (!fits)
      leave_open(fmt::format("the Debian packages of '{}' are not locked; run 'kiln lock'", request.lock_name));
  }

  void add_stage(std::size_t number) {
    const df::Stage& stage = planned_.dockerfile.stages[number];
    add_meaning(planned_.bases[number]);
    for (const df::Instruction& instruction : stage.instructions) {
      for (const std::string& name : df::names_read(instruction)) {
        add_meaning(resolve_name(plan_, planned_, name, number));
      }
      const auto* add = std::get_if<df::Add>(&instruction.body);
      for (const df::Read& read : df::reads_of(instruction)) {
        if (!read.is_of_context()) continue;
        add_paths(add ? local_sources(*add) : read.paths);
      }
    }
  }

  // The sources of an ADD that are in the context; what the others are is told apart.
  std::vector<std::string> local_sources(const df::Add& add) {
    std::vector<std::string> paths;
    for (const std::string& path : add.paths) {
      if (is_http_url(path) || parse_git_reference(path)) {
        if (add.checksum.empty())
          leave_open(fmt::format("what is behind '{}' may change; ADD it with --checksum", path));
        continue;
      }
      if (path.starts_with('$')) leave_open(fmt::format("'ADD {}' may name anything", path));
      paths.push_back(path);
    }
    return paths;
  }

  void add_paths(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
      if (df::has_variable(path)) use_.everything = true;
      use_.patterns.insert(path.empty() ? "." : path);
    }
  }

  void add_tree(const CopySource& source, const std::string& path) {
    for (const FileEntry& entry : source.walk_with_digests(path, FileUse::copied)) key_.entry(entry.path, entry);
  }

  ContextSource open(const fs::path& folder, const std::optional<std::string>& ignore,
                     const std::string& ignore_name) const {
    if (!fs::is_directory(folder))
      throw Error(Category::usage, fmt::format("build context '{}' is not a folder", folder.native()));
    return ContextSource({folder, df::read_ignore_rules(ignore.value_or(""), ignore_name), settings_.modes}, tools_);
  }

  void add_contexts() {
    if (target_.context && (use_.everything || !use_.patterns.empty())) {
      const ContextSource context = open(*target_.context, target_.ignore_text, target_.ignore_name);
      if (use_.everything) {
        add_tree(context, "");
      } else {
        for (const std::string& pattern : use_.patterns) {
          for (const std::string& match : match_sources(context, pattern)) {
            key_.text("path", match);
            const std::string followed = context.resolve(match);
            if (followed != match) key_.text("through", followed);
            add_tree(context, followed);
          }
        }
      }
    }
    for (const fs::path& folder : folders_) {
      const fs::path ignore = folder / ".dockerignore";
      add_tree(open(folder, df::read_text_file(ignore, folder), ignore.native()), "");
    }
  }

  const Plan& plan_;
  const PlannedTarget& planned_;
  const TargetSpec& target_;
  const InputSettings& settings_;
  const HashTools& tools_;
  StepKeyBuilder key_;
  TargetInputs result_;
  ContextUse use_;
  std::set<fs::path> folders_;
};

}  // namespace

std::vector<TargetInputs> inputs_of(const Plan& plan, const std::set<std::size_t>& wanted,
                                    const InputSettings& settings, const HashTools& tools) {
  std::vector<TargetInputs> known(plan.targets.size());
  const std::set<std::size_t> needed = plan.closure(wanted);
  const SecretValues secrets = plan.secrets;
  for (const std::size_t number : plan.order()) {
    if (!needed.count(number)) continue;
    const PlannedTarget& planned = *plan.targets[number];
    secrets.guard([&] {
      with_context([&] { return fmt::format("in target '{}'", planned.target.name); },
                   [&] { known[number] = InputsOfTarget(plan, planned, settings, tools).find(known); });
    });
    known[number].open = secrets.masked(known[number].open);
  }
  return known;
}

}  // namespace kiln

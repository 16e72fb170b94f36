#include "builder/init/bake_builds.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/secret_values.hpp"
#include "base/text.hpp"
#include "builder/definitions/bake/definition.hpp"
#include "builder/definitions/bake_file.hpp"
#include "builder/definitions/compose/model.hpp"

namespace kiln::init {

namespace {

bool is_unknown(const std::string& text) { return text.find(kUnknown) != std::string::npos; }

// Nothing of the environment and of .env gets into what is written; what a file asks for there is unknown.
bake::DefinitionOptions options_of(const std::vector<std::string>& files, const fs::path& folder) {
  bake::DefinitionOptions options;
  options.working_directory = folder;
  options.environment = [](const std::string&) { return std::nullopt; };
  options.reads_env_files = false;
  options.needed_value = std::string(1, kUnknown);
  for (const std::string& file : files) options.files.push_back((folder / file).string());
  return options;
}

// Targets that are there for others to inherit from only: no group lists them, and no other takes files from them.
std::set<std::string> abstract_targets(const bake::BakeConfig& config, const Fleet& fleet) {
  std::set<std::string> inherited, listed, used;
  for (const TargetSpec& target : fleet.targets) {
    for (const auto& [name, value] : target.contexts) {
      if (value.starts_with("target:")) used.insert(value.substr(7));
    }
  }
  for (const bake::BakeTarget& target : config.targets)
    inherited.insert(target.inherits.begin(), target.inherits.end());
  for (const bake::BakeGroup& group : config.groups) listed.insert(group.targets.begin(), group.targets.end());
  std::set<std::string> result;
  for (const bake::BakeTarget& target : config.targets) {
    const bool is_only_inherited = inherited.contains(target.name) && !listed.contains(target.name);
    if ((is_only_inherited || target.name.starts_with('_')) && !used.contains(target.name)) result.insert(target.name);
  }
  return result;
}

bool makes_no_image(const TargetSpec& target) {
  return !target.outputs.empty() &&
         std::all_of(target.outputs.begin(), target.outputs.end(), [](const std::string& output) {
           return output.starts_with("type=cacheonly") || output.starts_with("type=local") ||
                  output.starts_with("type=tar") || output.find('=') == std::string::npos;
         });
}

class BakeReader {
 public:
  BakeReader(const RepositoryFiles& files, FoundBuilds& found) : files_(files), found_(found) {}

  void read(const std::string& folder, const std::vector<std::string>& names) {
    const std::string origin = folder.empty() ? names[0] : folder + "/" + names[0];
    try {
      const bake::DefinitionOptions options = options_of(names, files_.root / folder);
      take(bake::Definition::load(options), options, origin);
    } catch (const Error& error) {
      note(fmt::format("'{}' could not be read, so what it builds is left out: {}", printable(origin),
                       printable(error.message())));
    }
  }

 private:
  void note(std::string text) { found_.notes.push_back(std::move(text)); }

  // A bake file may lie in a folder and be meant to be read from the repository's: there its paths lead somewhere.
  static std::size_t count_dockerfiles(const Fleet& fleet) {
    return static_cast<std::size_t>(std::count_if(
        fleet.targets.begin(), fleet.targets.end(),
        [](const TargetSpec& target) { return target.dockerfile && fs::is_regular_file(*target.dockerfile); }));
  }

  void take(const bake::Definition& definition, bake::DefinitionOptions options, const std::string& origin) {
    // A name that no target has: so none of them stops the others.
    Fleet fleet = bake_fleet(definition, options, {"no target"});
    if (count_dockerfiles(fleet) == 0 && options.working_directory != files_.root) {
      options.working_directory = files_.root;
      Fleet other = bake_fleet(definition, options, {"no target"});
      if (count_dockerfiles(other) > 0) fleet = std::move(other);
    }
    for (const std::string& warning : fleet.warnings) note(fmt::format("'{}': {}", printable(origin), warning));
    const std::set<std::string> abstract = abstract_targets(definition.config(), fleet);
    for (const bake::BakeTarget& target : definition.config().targets) {
      if (abstract.contains(target.name)) continue;
      if (const TargetSpec* spec = fleet.find(target.name)) {
        take_target(*spec, origin);
        continue;
      }
      try {
        bake_fleet(definition, options, {target.name});
      } catch (const Error& error) {
        note(fmt::format("'{}': the target '{}' is left out: {}", printable(origin), printable(target.name),
                         printable(error.message())));
      }
    }
  }

  void take_target(TargetSpec target, const std::string& origin) {
    if (makes_no_image(target)) {
      note(fmt::format("'{}': the target '{}' makes no image ({}): passed over", printable(origin),
                       printable(target.name), printable(target.outputs[0])));
      if (target.dockerfile) found_.task_dockerfiles.push_back(*target.dockerfile);
      return;
    }
    if (!target.remote_context.empty()) {
      note(fmt::format("'{}': the target '{}' is built from elsewhere, which an image of a fleet cannot be: left out",
                       printable(origin), printable(target.name)));
      return;
    }
    FoundBuild build{origin, target.name, {}, target.tags};
    std::vector<std::string> left_out;
    std::erase_if(target.args, [&](const auto& arg) {
      // An empty one is what a variable of the environment came to, or says nothing.
      const bool is_left_out = arg.second.empty() || is_unknown(arg.second) || looks_like_secret(arg.first);
      if (is_left_out) left_out.push_back(printable(arg.first));
      return is_left_out;
    });
    if (!left_out.empty()) {
      note(
          fmt::format("'{}': arguments of '{}' that hang on the environment, are empty or look like secrets are not "
                      "written down: {}",
                      printable(origin), printable(target.name), join(left_out, ", ")));
    }
    if (!target.ssh.empty()) {
      note(fmt::format("'{}': '{}' uses ssh, which 'kiln build --ssh' has and an image definition has not",
                       printable(origin), printable(target.name)));
    }
    build.target = std::move(target);
    found_.builds.push_back(std::move(build));
  }

  const RepositoryFiles& files_;
  FoundBuilds& found_;
};

std::pair<std::string, std::string> folder_and_name(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

FoundBuilds bake_builds(const RepositoryFiles& files) {
  FoundBuilds found;
  BakeReader reader(files, found);
  // The files of a folder that buildx merges without -f belong together; others are read one by one.
  std::set<std::string> done;
  for (const std::string& path : files.bake_files) {
    const auto [folder, name] = folder_and_name(path);
    if (done.contains(path)) continue;
    std::vector<std::string> names;
    for (const std::string& known : bake::default_files(files.root / folder)) {
      if (known.starts_with("docker-bake.")) names.push_back(known);
    }
    if (std::find(names.begin(), names.end(), name) == names.end()) names = {name};
    for (const std::string& one : names) done.insert(folder.empty() ? one : folder + "/" + one);
    reader.read(folder, names);
  }
  // So do those of Compose: the override beside a file is put over it, and is none by itself.
  for (const std::string& path : files.compose_files) {
    if (const auto over = compose::automatic_override(files.root / path))
      done.insert(over->lexically_relative(files.root).generic_string());
  }
  for (const std::string& path : files.compose_files) {
    if (done.contains(path)) continue;
    const auto [folder, name] = folder_and_name(path);
    std::vector<std::string> names = {name};
    if (const auto over = compose::automatic_override(files.root / path)) names.push_back(over->filename());
    reader.read(folder, names);
  }
  return found;
}

}  // namespace kiln::init

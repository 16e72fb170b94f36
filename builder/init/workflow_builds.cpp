#include "builder/init/workflow_builds.hpp"

#include <fmt/format.h>

#include <map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/compose/yaml.hpp"
#include "builder/init/command_builds.hpp"

namespace kiln::init {

namespace {

using compose::Node;
using Values = std::map<std::string, std::string>;

constexpr std::size_t kMaxWorkflowBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxCombinations = 256;

// Everything that expressions may name: "env.IMAGE", "matrix.service", "github.repository".
std::string evaluate(std::string_view text, const Values& values) {
  std::string result;
  for (;;) {
    const std::size_t open = text.find("${{");
    result += text.substr(0, open);
    if (open == std::string_view::npos) return result;
    const std::size_t close = text.find("}}", open);
    if (close == std::string_view::npos) return result + kUnknown;
    const auto value = values.find(std::string(trim(text.substr(open + 3, close - open - 3))));
    result += value == values.end() ? std::string(1, kUnknown) : value->second;
    text = text.substr(close + 2);
  }
}

std::string text_at(const Node& node, std::string_view key) {
  const Node* found = node.is_mapping() ? node.find(key) : nullptr;
  return found != nullptr && found->is_scalar() ? found->text : "";
}

void add_environment(const Node& node, Values& values) {
  const Node* env = node.is_mapping() ? node.find("env") : nullptr;
  if (env == nullptr || !env->is_mapping()) return;
  for (const auto& [name, value] : env->members) {
    if (value.is_scalar()) values["env." + name] = evaluate(value.text, values);
  }
}

void add_member(const std::string& name, const Node& value, Values& values) {
  if (value.is_scalar()) values[name] = evaluate(value.text, values);
  if (!value.is_mapping()) return;
  for (const auto& [key, member] : value.members) add_member(name + "." + key, member, values);
}

// A member of a list in `matrix`, as its `include` and `exclude` have it.
Values members_of(const Node& item) {
  Values result;
  if (!item.is_mapping()) return result;
  for (const auto& [name, value] : item.members) add_member("matrix." + name, value, result);
  return result;
}

std::vector<Values> items_of(const Node& matrix, std::string_view key) {
  std::vector<Values> result;
  const Node* list = matrix.find(key);
  if (list == nullptr) return result;
  for (const Node& item : list->items) result.push_back(members_of(item));
  return result;
}

// Whether a combination has each of these values; what it lacks counts as `otherwise`.
bool has_values(const Values& combination, const Values& wanted, bool otherwise) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& member) {
    const auto known = combination.find(member.first);
    return known == combination.end() ? otherwise : known->second == member.second;
  });
}

// Each combination of a job's matrix, by GitHub's rules: `exclude` takes away those that have all of its values; an
// item of `include` adds to all of the lists' combinations whose values it does not change, else it is one of its own.
std::vector<Values> combinations_of(const Node& job, const Values& outer) {
  const Node* strategy = job.find("strategy");
  const Node* matrix = strategy != nullptr && strategy->is_mapping() ? strategy->find("matrix") : nullptr;
  if (matrix == nullptr || !matrix->is_mapping()) return {outer};
  std::vector<Values> of_lists = {Values()};
  bool has_lists = false;
  for (const auto& [name, list] : matrix->members) {
    if (!list.is_sequence() || name == "include" || name == "exclude") continue;
    has_lists = true;
    std::vector<Values> next;
    for (const Values& values : of_lists) {
      for (const Node& item : list.items) {
        if (next.size() >= kMaxCombinations) break;
        next.push_back(values);
        add_member("matrix." + name, item, next.back());
      }
    }
    of_lists = std::move(next);
  }
  for (const Values& left_out : items_of(*matrix, "exclude"))
    std::erase_if(of_lists, [&](const Values& values) { return has_values(values, left_out, false); });
  const std::vector<Values> included = items_of(*matrix, "include");
  if (!has_lists && !included.empty()) of_lists.clear();
  std::vector<Values> all = of_lists;
  for (const Values& item : included) {
    bool is_added = false;
    for (std::size_t i = 0; i < of_lists.size(); ++i) {
      if (!has_values(of_lists[i], item, true)) continue;
      is_added = true;
      for (const auto& [name, value] : item) all[i].insert_or_assign(name, value);
    }
    if (!is_added && all.size() < kMaxCombinations) all.push_back(item);
  }
  for (Values& values : all) values.insert(outer.begin(), outer.end());
  return all;
}

// Lines or commas between the values of an action's input.
std::vector<std::string> listed(const std::string& text) {
  std::vector<std::string> result;
  for (const std::string_view line : split(text, '\n')) {
    for (const std::string_view part : split(line, ',')) {
      if (!trim(part).empty()) result.emplace_back(trim(part));
    }
  }
  return result;
}

class WorkflowReader {
 public:
  WorkflowReader(const RepositoryFiles& files, std::string path, FoundBuilds& found)
      : root_(files.root), path_(std::move(path)), found_(found) {}

  void read(const Node& workflow, Values values) {
    const Node* jobs = workflow.is_mapping() ? workflow.find("jobs") : nullptr;
    if (jobs == nullptr || !jobs->is_mapping()) return;
    add_environment(workflow, values);
    for (const auto& [name, job] : jobs->members) {
      if (!job.is_mapping()) continue;
      for (Values& combination : combinations_of(job, values)) read_job(job, std::move(combination));
    }
  }

 private:
  void read_job(const Node& job, Values values) {
    add_environment(job, values);
    const Node* steps = job.find("steps");
    if (steps == nullptr || !steps->is_sequence()) return;
    std::map<std::string, std::vector<std::string>> metadata;  // the images of metadata-action by the step's id
    for (const Node& step : steps->items) {
      if (!step.is_mapping()) continue;
      Values own = values;
      add_environment(step, own);
      const std::string uses = text_at(step, "uses");
      const Node* with = step.find("with");
      if (uses.starts_with("docker/metadata-action@") && with != nullptr) {
        metadata[text_at(step, "id")] = listed(evaluate(text_at(*with, "images"), own));
      } else if (uses.starts_with("docker/build-push-action@")) {
        read_action(step, with == nullptr ? Node() : *with, own, metadata);
      } else if (const std::string run = text_at(step, "run"); !run.empty()) {
        read_run(step, run, own);
      }
    }
  }

  void read_run(const Node& step, const std::string& run, const Values& values) {
    const std::string folder = evaluate(text_at(step, "working-directory"), values);
    if (folder.find(kUnknown) != std::string::npos) return;
    const CommandText text{path_, evaluate(run, values), step.find("run")->place.line(), {root_ / folder}};
    add_command_builds(
        text,
        [&](const std::string& name) -> std::optional<std::string> {
          if (const auto value = values.find("env." + name); value != values.end()) return value->second;
          const std::map<std::string, std::string> variables = {{"GITHUB_REPOSITORY", "github.repository"},
                                                                {"GITHUB_REPOSITORY_OWNER", "github.repository_owner"},
                                                                {"GITHUB_WORKSPACE", ""}};
          const auto variable = variables.find(name);
          if (variable == variables.end()) return std::nullopt;
          if (variable->second.empty()) return ".";
          const auto value = values.find(variable->second);
          return value == values.end() ? std::nullopt : std::optional(value->second);
        },
        found_);
  }

  void read_action(const Node& step, const Node& with, const Values& values,
                   const std::map<std::string, std::vector<std::string>>& metadata) {
    const std::string origin = fmt::format("{}:{}", path_, step.place.line());
    const auto input = [&](std::string_view key) { return std::string(trim(evaluate(text_at(with, key), values))); };
    std::string context = input("context");
    constexpr std::string_view kDefault = "{{defaultContext}}";
    if (context.starts_with(kDefault)) context.erase(0, kDefault.size() + (context.size() > kDefault.size() ? 1 : 0));
    if (context.empty()) context = ".";
    const std::string file = input("file");
    if (context.find(kUnknown) != std::string::npos || file.find(kUnknown) != std::string::npos) {
      add_note(fmt::format("{}: which Dockerfile and context are built only a run of it knows: passed over",
                           printable(origin)),
               found_.notes);
      return;
    }
    FoundBuild build;
    build.origin = origin;
    fs::path folder = (root_ / context).lexically_normal();
    build.target.context = folder.has_filename() ? folder : folder.parent_path();
    build.target.dockerfile = file.empty() ? *build.target.context / "Dockerfile" : (root_ / file).lexically_normal();
    if (const std::string stage = input("target"); stage.find(kUnknown) == std::string::npos)
      build.target.stage = stage;
    std::vector<std::string> left_out;
    const std::string arguments = text_at(with, "build-args");
    for (const std::string_view line : split(arguments, '\n')) {
      const std::string arg(trim(evaluate(trim(line), values)));
      const std::size_t equals = arg.find('=');
      if (arg.empty() || arg.starts_with('#')) continue;
      take_argument(arg.substr(0, equals), equals == std::string::npos ? "" : arg.substr(equals + 1), build, left_out);
    }
    note_arguments_left_out(origin, left_out, found_.notes);
    add_tags(text_at(with, "tags"), values, metadata, build);
    if (const std::string platforms = input("platforms"); platforms.find(',') != std::string::npos) {
      add_note(fmt::format("{}: it builds for {}; say \"platforms\" in image.json for that", printable(origin),
                           printable(platforms)),
               found_.notes);
    }
    found_.builds.push_back(std::move(build));
  }

  static void add_tags(const std::string& text, const Values& values,
                       const std::map<std::string, std::vector<std::string>>& metadata, FoundBuild& build) {
    for (const auto& [id, images] : metadata) {
      if (text.find("steps." + id + ".outputs.tags") == std::string::npos) continue;
      for (const std::string& image : images) {
        const std::string name = image.starts_with("name=") ? image.substr(5) : image;
        build.tags.push_back(name + ":" + kUnknown);
      }
      return;
    }
    for (std::string& tag : listed(evaluate(text, values))) build.tags.push_back(std::move(tag));
  }

  fs::path root_;
  std::string path_;
  FoundBuilds& found_;
};

}  // namespace

FoundBuilds workflow_builds(const RepositoryFiles& files, const std::string& repository) {
  FoundBuilds found;
  Values values;
  if (const std::size_t slash = repository.find('/'); slash != std::string::npos) {
    values = {{"github.repository", repository},
              {"github.repository_owner", repository.substr(0, slash)},
              {"github.event.repository.name", repository.substr(slash + 1)}};
  }
  for (const std::string& path : files.workflows) {
    try {
      const hcl::Source source(path, read_file(files.root / path, kMaxWorkflowBytes));
      const Node workflow = compose::parse_yaml(source);
      WorkflowReader(files, path, found).read(workflow, values);
    } catch (const Error& error) {
      found.notes.push_back(fmt::format("'{}' could not be read, so what it builds is left out: {}", printable(path),
                                        printable(error.message())));
    }
  }
  return found;
}

}  // namespace kiln::init

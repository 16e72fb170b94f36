#include "builder/definitions/compose/model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/error.hpp"
#include "base/paths.hpp"
#include "base/text.hpp"
#include "builder/definitions/compose/merge.hpp"

namespace kiln::compose {

namespace {

constexpr std::uint64_t kMaxBytes = std::uint64_t{4} << 20;
// Of all files that others name, however often: what includes two files that include two files ends here.
constexpr std::size_t kMaxFiles = 1000;
constexpr std::size_t kMaxBytesOfAll = std::size_t{64} << 20;

bool is_relative_path(const std::string& text) {
  static constexpr std::string_view kNoPaths[] = {
      "/", "~", "service:", "target:", "docker-image:", "git@", "github.com/"};
  const bool is_other = std::any_of(std::begin(kNoPaths), std::end(kNoPaths),
                                    [&](std::string_view prefix) { return text.starts_with(prefix); });
  return !is_other && text.find("://") == std::string::npos;
}

void prefix_path(Node* node, const fs::path& folder) {
  if (node != nullptr && node->is_scalar() && is_relative_path(node->text)) {
    node->text = (folder / node->text).lexically_normal().string();
  }
}

// The values of a mapping, or of a list of KEY=VALUE.
void prefix_values(Node* pairs, const fs::path& folder) {
  if (pairs == nullptr) return;
  for (auto& [name, value] : pairs->members) {
    if (!value.text.empty()) prefix_path(&value, folder);
  }
  for (Node& item : pairs->items) {
    const std::size_t value = item.text.find('=') + 1;  // 0: there is none
    if (value == 0 || value == item.text.size()) continue;
    Node path = Node::scalar(item.text.substr(value));
    prefix_path(&path, folder);
    item.text.replace(value, std::string::npos, path.text);
  }
}

// What a service of a file in another folder names is taken from there.
void prefix_service(Node& service, const fs::path& folder) {
  if (folder.empty() || folder == ".") return;
  Node* build = service.find("build");
  if (build != nullptr && build->is_scalar()) prefix_path(build, folder);
  if (build != nullptr && build->is_mapping()) {
    prefix_path(build->find("context"), folder);
    prefix_values(build->find("additional_contexts"), folder);
    prefix_values(build->find("ssh"), folder);
  }
  if (Node* files = service.find("env_file")) {
    prefix_path(files, folder);
    for (Node& file : files->items) prefix_path(file.is_mapping() ? file.find("path") : &file, folder);
  }
}

// The texts of a node that is one, or a list of them.
std::vector<std::string> texts_of(const Node* node) {
  std::vector<std::string> result;
  if (node == nullptr) return result;
  if (node->is_scalar()) result.push_back(node->text);
  for (const Node& item : node->items) result.push_back(item.text);
  return result;
}

// `environment: [NAME]` takes its value here: further out the variables of an included file are not known.
void resolve_environment(Node& services, const Lookup& variables) {
  for (auto& [name, service] : services.members) {
    Node* environment = service.find("environment");
    if (environment == nullptr) continue;
    for (Node& item : environment->items) {
      if (item.text.find('=') != std::string::npos) continue;
      if (const auto value = variables(item.text)) item = Node::scalar(item.text + "=" + *value);
    }
  }
}

std::vector<std::string> names_of(const Node& mapping) {
  std::vector<std::string> names;
  for (const auto& [name, ignored] : mapping.members) names.push_back(name);
  return names;
}

// Where a file stands: what its paths start from, and its variables. The number is that of the variables.
struct Project {
  fs::path folder;
  Lookup variables;
  std::size_t number = 0;
};

class Loader {
 public:
  Loader(const ComposeOptions& options, std::set<std::string>* unset)
      : options_(options), unset_{unset, options.needed_value} {}

  // A file over what earlier ones have said.
  Node over(Node below, ComposeFile file, const Project& project) {
    const std::string& name = file.source->name();
    prepare(file, project);
    for (Node& document : file.documents) {
      if (const Node* included = document.find("include")) {
        const Node entries = *included;
        if (!entries.is_sequence() && !entries.is_null()) hcl::fail(entries.place, "'include' is a list");
        document.erase("include");
        for (const Node& entry : entries.items) document = merged(include(entry, project), document, "");
      }
      Node* services = document.find("services");
      if (services != nullptr && services->is_mapping()) {
        const Members written = services->members;
        for (const auto& [service, ignored] : written) {
          ServicePath path;
          extend(name, *services, service, project, path);
        }
      }
      below = merged(std::move(below), document, "");
      apply_resets(below);
    }
    return below;
  }

  const std::vector<std::shared_ptr<const hcl::Source>>& sources() const noexcept { return sources_; }

 private:
  using ServicePath = std::vector<std::pair<std::string, std::string>>;  // file and name

  // Puts in the variables, and keeps what the file's places point into.
  void prepare(ComposeFile& file, const Project& project) {
    sources_.push_back(file.source);
    for (Node& document : file.documents) {
      // A file that says nothing is taken, as an override may; a document beside others is a slip.
      if (document.is_null() && file.documents.size() == 1) document.kind = Node::Kind::mapping;
      if (!document.is_mapping()) hcl::fail(document.place, "a document of a Compose file is a mapping");
      interpolate_all(document, project.variables, unset_);
    }
  }

  ComposeFile parse_other(const fs::path& path) { return parse_compose_file(path.native(), read_other(path)); }

  // The text of a file that another one names.
  std::string read_other(const fs::path& path) {
    std::string text = read_project_file(path, options_);
    bytes_ += text.size();
    if (++files_ > kMaxFiles || bytes_ > kMaxBytesOfAll) {
      throw Error(Category::usage, fmt::format("'{}': Compose files name more than {} others, or {} MiB of them",
                                               printable(path.native()), kMaxFiles, kMaxBytesOfAll >> 20));
    }
    return text;
  }

  // The outer variables go over those of an include's env_file, or of the .env in its folder.
  Project project_of_include(const Node* env_file, const Project& outer, const fs::path& folder) {
    const Project with_outer_variables{folder, outer.variables, outer.number};
    if (!options_.reads_env_files) return with_outer_variables;
    std::vector<fs::path> files;
    for (const std::string& file : texts_of(env_file)) {
      if (file != "/dev/null") files.push_back(outer.folder / file);
    }
    if (texts_of(env_file).empty() && fs::is_regular_file(folder / ".env")) files.push_back(folder / ".env");
    if (files.empty()) return with_outer_variables;
    std::map<std::string, std::string> values;
    for (const fs::path& file : files) read_env_file(file.native(), read_other(file), outer.variables, values);
    return {folder, with_defaults(outer.variables, std::move(values)), ++projects_};
  }

  Node include(const Node& entry, const Project& outer) {
    const std::vector<std::string> paths = texts_of(entry.is_mapping() ? entry.find("path") : &entry);
    if (paths.empty()) hcl::fail(entry.place, "an entry of 'include' is a path, or has a 'path'");
    const Node* folder = entry.is_mapping() ? entry.find("project_directory") : nullptr;
    const fs::path prefix =
        folder != nullptr && folder->is_scalar() ? fs::path(folder->text) : fs::path(paths.front()).parent_path();
    const fs::path main_file = (outer.folder / paths.front()).lexically_normal();
    if (std::find(included_.begin(), included_.end(), main_file) != included_.end())
      hcl::fail(entry.place, fmt::format("'{}' includes itself", printable(paths.front())));
    const Project project =
        project_of_include(entry.is_mapping() ? entry.find("env_file") : nullptr, outer, outer.folder / prefix);
    included_.push_back(main_file);
    Node root;
    root.kind = Node::Kind::mapping;
    for (const std::string& path : paths) {
      root = over(std::move(root), parse_other(outer.folder / path), project);
    }
    included_.pop_back();
    if (Node* services = root.find("services")) {
      resolve_environment(*services, project.variables);
      for (auto& [name, service] : services->members) {
        Node* build = service.find("build");
        if (build != nullptr && build->is_mapping() && build->find("context") == nullptr)
          build->set("context", Node::scalar("."));
        prefix_service(service, prefix);
      }
    }
    if (Node* secrets = root.find("secrets")) {
      for (auto& [name, secret] : secrets->members) prefix_path(secret.find("file"), prefix);
    }
    return root;
  }

  // Puts what a service extends below it.
  void extend(const std::string& file_name, Node& services, const std::string& name, const Project& project,
              ServicePath& path) {
    Node* service = services.find(name);
    const Node* extends = service->is_mapping() ? service->find("extends") : nullptr;
    if (extends == nullptr) return;
    if (std::find(path.begin(), path.end(), std::pair(file_name, name)) != path.end()) {
      std::vector<std::string> names;
      for (const auto& [file, known] : path) names.push_back(known);
      hcl::fail(extends->place, fmt::format("the service '{}' extends itself: {} -> {}", printable(name),
                                            printable(join(names, " -> ")), printable(name)));
    }
    const Node* wanted = extends->is_mapping() ? extends->find("service") : extends;
    const Node* other = extends->is_mapping() ? extends->find("file") : nullptr;
    if (wanted == nullptr || !wanted->is_scalar()) hcl::fail(extends->place, "'extends' needs a 'service'");
    path.emplace_back(file_name, name);
    Node base;
    if (other != nullptr && other->is_scalar()) {
      base = extended_of_file(other->text, *wanted, project, path);
    } else {
      if (services.find(wanted->text) == nullptr) {
        hcl::fail(wanted->place, fmt::format("unknown service '{}'{}", printable(wanted->text),
                                             suggestion(wanted->text, names_of(services))));
      }
      extend(file_name, services, wanted->text, project, path);
      base = *services.find(wanted->text);
    }
    path.pop_back();
    Node own = *services.find(name);
    own.erase("extends");
    *services.find(name) = merged(std::move(base), own, service_path(name));
  }

  // A service of another file with what it extends. Of that file only this counts, so nothing else of it is followed.
  Node extended_of_file(const std::string& other, const Node& wanted, const Project& project, ServicePath& path) {
    const fs::path file = project.folder / other;
    const Project there{file.parent_path(), project.variables, project.number};
    const auto [known, is_new] = extended_.try_emplace({file, project.number});
    Node& services = known->second;
    if (is_new) {
      services.kind = Node::Kind::mapping;
      ComposeFile parsed = parse_other(file);
      prepare(parsed, project);
      for (const Node& document : parsed.documents) {
        if (const Node* said = document.find("services")) services = merged(std::move(services), *said, "services");
        apply_resets(services);
      }
    }
    if (services.find(wanted.text) == nullptr) {
      hcl::fail(wanted.place, fmt::format("'{}' has no service '{}'{}", printable(other), printable(wanted.text),
                                          suggestion(wanted.text, names_of(services))));
    }
    extend(file.native(), services, wanted.text, there, path);
    Node result = *services.find(wanted.text);
    prefix_service(result, fs::path(other).parent_path());
    return result;
  }

  const ComposeOptions& options_;
  UnsetVariables unset_;
  std::size_t files_ = 0;
  std::size_t bytes_ = 0;
  std::size_t projects_ = 0;        // that have variables of their own
  std::vector<fs::path> included_;  // the way to the file that is read
  // The services of files that others extend, by file and variables; each with what it extends once that is followed.
  std::map<std::pair<fs::path, std::size_t>, Node> extended_;
  std::vector<std::shared_ptr<const hcl::Source>> sources_;
};

// The last `name` of the files, else that of the environment.
std::string project_name(const ComposeOptions& options, const std::vector<ComposeFile>& files,
                         const Lookup& variables) {
  std::string result = variables("COMPOSE_PROJECT_NAME").value_or("");
  if (result.empty()) result = options.project_name;
  const Lookup with_name = [&](const std::string& name) {
    return name == "COMPOSE_PROJECT_NAME" ? std::optional(result) : variables(name);
  };
  for (const ComposeFile& file : files) {
    for (const Node& document : file.documents) {
      const Node* name = document.find("name");
      if (name == nullptr || !name->is_scalar() || name->text.empty()) continue;
      result = interpolate(*name, with_name, {nullptr, options.needed_value});
    }
  }
  return result;
}

}  // namespace

ComposeFile parse_compose_file(std::string name, std::string text) {
  ComposeFile file{std::make_shared<const hcl::Source>(std::move(name), std::move(text)), {}};
  file.documents = parse_yaml_documents(*file.source);
  return file;
}

std::string read_project_file(const fs::path& file, const ComposeOptions& options) {
  if (options.fetched_folder && leads_out(file, *options.fetched_folder)) {
    throw Error(Category::usage,
                fmt::format("'{}' leads out of the repository it is taken from", printable(file.native())));
  }
  return read_named_file(file, kMaxBytes);
}

Lookup project_variables(const ComposeOptions& options, const std::vector<ComposeFile>& files) {
  std::map<std::string, std::string> from_file;
  const fs::path file = options.working_directory / ".env";
  if (options.reads_env_files && fs::is_regular_file(file))
    read_env_file(".env", read_named_file(file, kMaxBytes), options.environment, from_file);
  const Lookup outer = [options](const std::string& name) -> std::optional<std::string> {
    const auto given = options.given.find(name);
    return given != options.given.end() ? std::optional(given->second) : options.environment(name);
  };
  Lookup variables = with_defaults(outer, std::move(from_file));
  const std::string name = project_name(options, files, variables);
  return [variables = std::move(variables), name](const std::string& wanted) {
    return wanted == "COMPOSE_PROJECT_NAME" ? std::optional(name) : variables(wanted);
  };
}

Model load_model(std::vector<ComposeFile> files, const ComposeOptions& options, const Lookup& variables,
                 std::set<std::string>* unset) {
  Loader loader(options, unset);
  const Project project{options.base(), variables};
  Node root;
  root.kind = Node::Kind::mapping;
  for (ComposeFile& file : files) root = loader.over(std::move(root), std::move(file), project);
  return {std::move(root), loader.sources()};
}

std::string in_home(const std::string& path, const ComposeOptions& options) {
  const auto home = path.starts_with('~') && !options.fetched_folder ? options.environment("HOME") : std::nullopt;
  return home ? clean_path(*home + "/" + path.substr(1)) : path;
}

std::optional<fs::path> automatic_override(const fs::path& file) {
  static constexpr std::string_view kNames[] = {"compose.yaml", "compose.yml", "docker-compose.yml",
                                                "docker-compose.yaml"};
  static constexpr std::string_view kOverrides[] = {"compose.override.yml", "compose.override.yaml",
                                                    "docker-compose.override.yml", "docker-compose.override.yaml"};
  if (std::find(std::begin(kNames), std::end(kNames), file.filename().native()) == std::end(kNames))
    return std::nullopt;
  for (const std::string_view name : kOverrides) {
    const fs::path path = file.parent_path() / name;
    if (fs::is_regular_file(path)) return path;
  }
  return std::nullopt;
}

}  // namespace kiln::compose

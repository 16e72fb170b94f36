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
constexpr std::size_t kMaxFiles = 100;

[[noreturn]] void fail(const std::string& file, int line, std::string_view message) {
  throw Error(Category::usage, fmt::format("{}:{}: {}", printable(file), line, message));
}

std::string read_definition(const fs::path& file) {
  try {
    return read_file(file, kMaxBytes);
  } catch (const Error& error) {
    throw Error(Category::usage, error.message());
  }
}

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

// What a service of a file in another folder names is taken from there.
void prefix_service(Node& service, const fs::path& folder) {
  if (folder.empty() || folder == ".") return;
  Node* build = service.find("build");
  if (build != nullptr && build->is_scalar()) prefix_path(build, folder);
  if (build != nullptr && build->is_mapping()) {
    prefix_path(build->find("context"), folder);
    if (Node* contexts = build->find("additional_contexts"); contexts != nullptr && contexts->is_mapping()) {
      for (auto& [name, value] : contexts->members) prefix_path(&value, folder);
    }
  }
  if (Node* files = service.find("env_file")) {
    prefix_path(files, folder);
    for (Node& file : files->items) prefix_path(file.is_mapping() ? file.find("path") : &file, folder);
  }
}

class Loader {
 public:
  Loader(const Lookup& variables, const std::optional<fs::path>& inside, std::set<std::string>* unset)
      : variables_(variables), inside_(inside), unset_(unset) {}

  Node file(const std::string& name, const std::string& text, const fs::path& folder) {
    if (++files_ > kMaxFiles) throw Error(Category::usage, fmt::format("more than {} Compose files", kMaxFiles));
    Node root = parse_yaml(name, text);
    if (root.is_null()) root.kind = Node::Kind::mapping;
    if (!root.is_mapping()) fail(name, 1, "a Compose file is a mapping");
    interpolate_all(root, name, variables_, unset_);
    Node* services = root.find("services");
    if (services != nullptr && services->is_mapping()) {
      for (const auto& [service, ignored] : std::vector(services->members)) {
        std::vector<std::string> path;
        extend(name, *services, service, folder, path);
      }
    }
    if (const Node* included = root.find("include")) {
      Node base;
      base.kind = Node::Kind::mapping;
      for (const std::string& path : included_paths(*included))
        base = merged(std::move(base), include(path, folder), "");
      root.erase("include");
      root = merged(std::move(base), root, "");
    }
    return root;
  }

 private:
  static std::vector<std::string> included_paths(const Node& included) {
    std::vector<std::string> result;
    for (const Node& item : included.items) {
      const Node* path = item.is_mapping() ? item.find("path") : &item;
      if (path == nullptr) continue;
      if (path->is_scalar()) result.push_back(path->text);
      for (const Node& one : path->items) result.push_back(one.text);
    }
    return result;
  }

  // A file that another one names.
  Node other_file(const fs::path& path) {
    if (inside_ && leads_out(path, *inside_)) {
      throw Error(Category::usage,
                  fmt::format("'{}' leads out of the repository it is taken from", printable(path.native())));
    }
    return file(path.string(), read_definition(path), path.parent_path());
  }

  Node include(const std::string& path, const fs::path& folder) {
    Node root = other_file(folder / path);
    const fs::path prefix = fs::path(path).parent_path();
    if (Node* services = root.find("services")) {
      for (auto& [name, service] : services->members) prefix_service(service, prefix);
    }
    if (Node* secrets = root.find("secrets")) {
      for (auto& [name, secret] : secrets->members) prefix_path(secret.find("file"), prefix);
    }
    return root;
  }

  // Puts what a service extends below it.
  void extend(const std::string& file_name, Node& services, const std::string& name, const fs::path& folder,
              std::vector<std::string>& path) {
    Node* service = services.find(name);
    const Node* extends = service->is_mapping() ? service->find("extends") : nullptr;
    if (extends == nullptr) return;
    if (std::find(path.begin(), path.end(), name) != path.end()) {
      fail(file_name, extends->line,
           fmt::format("the service '{}' extends itself: {} -> {}", printable(name), printable(join(path, " -> ")),
                       printable(name)));
    }
    const Node* wanted = extends->is_mapping() ? extends->find("service") : extends;
    const Node* other = extends->is_mapping() ? extends->find("file") : nullptr;
    if (wanted == nullptr || !wanted->is_scalar()) fail(file_name, extends->line, "'extends' needs a 'service'");
    Node base;
    if (other != nullptr && other->is_scalar()) {
      Node root = other_file(folder / other->text);
      const Node* all = root.find("services");
      const Node* found = all == nullptr ? nullptr : all->find(wanted->text);
      if (found == nullptr) {
        fail(file_name, extends->line,
             fmt::format("'{}' has no service '{}'", printable(other->text), printable(wanted->text)));
      }
      base = *found;
      prefix_service(base, fs::path(other->text).parent_path());
    } else {
      if (services.find(wanted->text) == nullptr) {
        std::vector<std::string> known;
        for (const auto& [other_name, ignored] : services.members) known.push_back(other_name);
        fail(file_name, extends->line,
             fmt::format("unknown service '{}'{}", printable(wanted->text), suggestion(wanted->text, known)));
      }
      path.push_back(name);
      extend(file_name, services, wanted->text, folder, path);
      path.pop_back();
      base = *services.find(wanted->text);
    }
    Node over = *services.find(name);
    over.erase("extends");
    *services.find(name) = merged(std::move(base), over, "services." + name);
  }

  const Lookup& variables_;
  const std::optional<fs::path>& inside_;
  std::set<std::string>* unset_;
  std::size_t files_ = 0;
};

}  // namespace

Lookup project_variables(const ComposeOptions& options) {
  std::map<std::string, std::string> from_file;
  const fs::path file = options.working_directory / ".env";
  if (fs::is_regular_file(file)) from_file = parse_env_file(".env", read_definition(file), options.environment);
  return [options, from_file = std::move(from_file)](const std::string& name) -> std::optional<std::string> {
    if (const auto given = options.given.find(name); given != options.given.end()) return given->second;
    if (auto value = options.environment(name)) return value;
    const auto found = from_file.find(name);
    return found == from_file.end() ? std::nullopt : std::optional(found->second);
  };
}

Node load_model(const std::vector<ComposeText>& files, const Lookup& variables, const std::optional<fs::path>& inside,
                std::set<std::string>* unset) {
  Loader loader(variables, inside, unset);
  Node model;
  model.kind = Node::Kind::mapping;
  for (const ComposeText& file : files) {
    model = merged(std::move(model), loader.file(file.name, file.text, file.folder), "");
  }
  apply_resets(model);
  return model;
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

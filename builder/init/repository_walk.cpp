#include "builder/init/repository_walk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/error.hpp"
#include "base/file_kind.hpp"
#include "base/paths.hpp"
#include "base/text.hpp"

namespace kiln::init {

namespace {

constexpr std::array<std::string_view, 14> kPassedOver = {
    "node_modules", "bower_components", "venv",     "vendor", "third_party",  "__pycache__", "site-packages",
    "target",       "testdata",         "fixtures", "dist",   "__fixtures__", "Pods",        "_build"};
constexpr std::array<std::string_view, 4> kHiddenButLookedAt = {".github", ".docker", ".ci", ".gitlab"};

// Endings of what is made from a Dockerfile, of what makes one, and of sources that are about one.
constexpr std::array<std::string_view, 32> kOtherEndings = {
    "dockerignore", "md",   "txt", "rst",  "j2",   "jinja", "jinja2", "tmpl", "tpl",   "template", "in",
    "erb",          "orig", "bak", "swp",  "rej",  "go",    "py",     "js",   "ts",    "rs",       "java",
    "rb",           "sh",   "yml", "yaml", "json", "html",  "lock",   "snap", "patch", "mustache"};

bool is_any_of(std::string_view name, const auto& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool has_ending(const std::string& name, std::initializer_list<std::string_view> endings) {
  return std::any_of(endings.begin(), endings.end(), [&](std::string_view ending) { return name.ends_with(ending); });
}

enum class Role { none, dockerfile, dockerfile_template, bake_file, compose_file, workflow, script };

bool is_template_name(const std::string& lower) {
  const std::size_t dot = lower.rfind('.');
  return dot != std::string::npos &&
         is_any_of(lower.substr(dot + 1),
                   std::array<std::string_view, 8>{"j2", "jinja", "jinja2", "tmpl", "tpl", "template", "in", "erb"}) &&
         is_dockerfile_name(lower.substr(0, dot));
}

Role role_of(const std::string& folder, const std::string& name) {
  const std::string lower = to_lower(name);
  const bool is_yaml = has_ending(lower, {".yml", ".yaml"});
  if (folder == ".github/workflows") return is_yaml ? Role::workflow : Role::none;
  if (is_dockerfile_name(name)) return Role::dockerfile;
  if (is_template_name(lower)) return Role::dockerfile_template;
  if (is_yaml && (lower.starts_with("compose.") || lower.starts_with("docker-compose"))) return Role::compose_file;
  const bool is_bake = lower.starts_with("docker-bake.") || lower.find("bake.") != std::string::npos;
  if (is_bake && has_ending(lower, {".hcl", ".json"})) return Role::bake_file;
  if (lower == "makefile" || lower == "gnumakefile" || lower == "justfile" || lower == ".gitlab-ci.yml" ||
      lower == "taskfile.yml" || has_ending(lower, {".mk", ".sh", ".bash"}))
    return Role::script;
  return Role::none;
}

class Walk {
 public:
  Walk(const fs::path& root, const WalkLimits& limits) : limits_(limits) { files_.root = root; }

  RepositoryFiles run() {
    std::vector<std::string> level = {""};
    for (std::size_t depth = 0; !level.empty(); ++depth) {
      if (depth > limits_.depth) {
        note(fmt::format("'{}' and what is as deep were not looked at: {} folders are the most", printable(level[0]),
                         limits_.depth));
        break;
      }
      std::vector<std::string> next;
      for (const std::string& folder : level) {
        if (!visit(folder, next)) return finish();
      }
      level = std::move(next);
    }
    return finish();
  }

 private:
  void note(std::string text) { files_.notes.push_back(std::move(text)); }

  // False where a limit is reached.
  bool visit(const std::string& folder, std::vector<std::string>& next) {
    std::vector<std::string> names;
    try {
      names = list_directory(files_.root / folder);
    } catch (const Error& error) {
      note(fmt::format("'{}' was not looked at: {}", printable(folder), error.message()));
      return true;
    }
    for (const std::string& name : names) {
      if (++entries_ > limits_.entries || kept_ > limits_.files) {
        note(fmt::format("the search ended at '{}': {} files and folders, {} of them about images, are the most",
                         printable(folder.empty() ? "." : folder), limits_.entries, limits_.files));
        return false;
      }
      const std::string path = folder.empty() ? name : folder + "/" + name;
      std::error_code failure;
      const fs::file_status status = fs::symlink_status(files_.root / path, failure);
      if (fs::is_directory(status)) {
        visit_folder(path, name, next);
      } else if (fs::is_symlink(status)) {
        visit_link(folder, path, name);
      } else if (fs::is_regular_file(status)) {
        keep(folder, path, name);
      }
    }
    return true;
  }

  void visit_folder(const std::string& path, const std::string& name, std::vector<std::string>& next) {
    const bool is_hidden = name.starts_with('.') && !is_any_of(name, kHiddenButLookedAt);
    if (is_hidden || is_any_of(name, kPassedOver)) {
      ++passed_over_[name];
    } else {
      next.push_back(path);
    }
  }

  // A link to a file of the repository is that file under another name.
  void visit_link(const std::string& folder, const std::string& path, const std::string& name) {
    if (role_of(folder, name) == Role::none) return;
    if (kiln::is_regular_file(files_.root / path) && !leads_out(files_.root / path, files_.root)) {
      keep(folder, path, name);
    } else {
      note(fmt::format("'{}' is a link that leads to no file of this repository: passed over", printable(path)));
    }
  }

  void keep(const std::string& folder, const std::string& path, const std::string& name) {
    const Role role = role_of(folder, name);
    if (role == Role::none) return;
    if (role == Role::dockerfile_template) {
      note(fmt::format("'{}' is a template of a Dockerfile: passed over", printable(path)));
      return;
    }
    ++kept_;
    auto& list = role == Role::dockerfile     ? files_.dockerfiles
                 : role == Role::bake_file    ? files_.bake_files
                 : role == Role::compose_file ? files_.compose_files
                 : role == Role::workflow     ? files_.workflows
                                              : files_.scripts;
    list.push_back(path);
  }

  RepositoryFiles finish() {
    std::vector<std::string> names;
    for (const auto& [name, count] : passed_over_)
      names.push_back(count == 1 ? printable(name) : fmt::format("{} ({})", printable(name), count));
    if (names.size() > 12) {
      const std::size_t more = names.size() - 12;
      names.resize(12);
      names.push_back(fmt::format("{} more", more));
    }
    if (!names.empty()) note("folders that were not looked into: " + join(names, ", "));
    return std::move(files_);
  }

  WalkLimits limits_;
  RepositoryFiles files_;
  std::size_t entries_ = 0;
  std::size_t kept_ = 0;
  std::map<std::string, std::size_t> passed_over_;
};

}  // namespace

bool is_dockerfile_name(const std::string& name) {
  const std::string lower = to_lower(name);
  if (lower.ends_with('~')) return false;
  for (const std::string_view word : {"dockerfile", "containerfile"}) {
    if (lower == word) return true;
    if (lower.ends_with(word) && lower.size() > word.size() + 1) {
      if (const char before = lower[lower.size() - word.size() - 1]; before == '.' || before == '-' || before == '_')
        return true;
    }
    if (!lower.starts_with(word)) continue;
    const char after = lower[word.size()];
    const std::size_t dot = lower.rfind('.');
    const bool is_other = dot != std::string::npos && is_any_of(lower.substr(dot + 1), kOtherEndings);
    if ((after == '.' || after == '-' || after == '_') && lower.size() > word.size() + 1 && !is_other) return true;
  }
  return false;
}

RepositoryFiles walk_repository(const fs::path& root, const WalkLimits& limits) {
  std::error_code failure;
  const fs::path folder = fs::absolute(root).lexically_normal();
  if (!fs::is_directory(folder, failure)) {
    throw Error(Category::usage, fmt::format("'{}' is not a folder", printable(root.string())));
  }
  return Walk(folder.has_filename() ? folder : folder.parent_path(), limits).run();
}

}  // namespace kiln::init

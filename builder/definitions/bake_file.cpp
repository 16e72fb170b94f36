#include "builder/definitions/bake_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/bake_target_reader.hpp"
#include "builder/definitions/bake_variables.hpp"
#include "builder/definitions/json_source.hpp"

namespace kiln {

using nlohmann::json;

namespace {

// More combinations of a matrix are a mistake, or meant ill.
constexpr std::size_t kMaxTargets = 10'000;

bool is_target_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

class BakeFile {
 public:
  BakeFile(const JsonSource& source, const BakeFileOptions& options)
      : source_(source), options_(options), variables_(source, options.environment) {}

  Fleet load() {
    const json content = source_.parse();
    if (!content.is_object()) source_.fail("", "expected an object");
    read_variables(content);
    each_block(content, "target", [&](const std::string& name, const json& block, const std::string& pointer) {
      read_target(name, block, pointer);
    });
    each_block(content, "group", [&](const std::string& name, const json& block, const std::string& pointer) {
      read_group(name, block, pointer);
    });
    check_members();
    check_override_patterns(options_.overrides, target_names());

    Fleet fleet;
    fleet.front_end = FrontEnd::bake_file;
    fleet.file = source_.file();
    fleet.folder = source_.file().parent_path();
    fleet.settings.tag_templates.clear();
    for (const auto& [name, target] : targets_) fleet.targets.push_back(complete(target));
    for (auto& [name, group] : groups_) fleet.groups[name] = std::move(group.members);
    return fleet;
  }

 private:
  struct Group {
    std::vector<std::string> members;
    std::string pointer;
  };

  // HCL's JSON syntax: blocks of one kind are an object by name, or a list of such objects.
  template <class Use>
  void each_block(const json& content, const std::string& kind, Use&& use) {
    if (!content.contains(kind)) return;
    const auto each = [&](const json& blocks, const std::string& pointer) {
      if (!blocks.is_object()) source_.fail(pointer, fmt::format("'{}': expected an object by name", kind));
      for (const auto& [name, block] : blocks.items()) {
        if (name != "//") use(name, block, child_pointer(pointer, name));
      }
    };
    const json& blocks = content.at(kind);
    const std::string pointer = child_pointer("", kind);
    if (!blocks.is_array()) return each(blocks, pointer);
    for (std::size_t i = 0; i < blocks.size(); ++i) each(blocks[i], child_pointer(pointer, i));
  }

  void read_variables(const json& content) {
    for (const auto& [key, value] : content.items()) {
      const std::string pointer = child_pointer("", key);
      if (key == "target" || key == "group" || key == "variable" || key == "//" || key == "$schema") continue;
      if (key == "function") {
        source_.fail(
            pointer,
            "kiln evaluates no functions; run 'docker buildx bake --print > resolved.json' and bake that file");
      }
      if (value.is_object()) {
        source_.fail(pointer, fmt::format("unknown key '{}'{}", printable(key),
                                          suggestion(key, {"group", "target", "variable"})));
      }
      variables_.define(key, value, pointer);
    }
    each_block(content, "variable", [&](const std::string& name, const json& block, const std::string& pointer) {
      variables_.declare(name, block, pointer);
    });
  }

  void read_target(const std::string& name, const json& block, const std::string& pointer) {
    check_name(name, pointer);
    if (!block.is_object()) source_.fail(pointer, fmt::format("target '{}': expected an object", printable(name)));
    if (!block.contains("matrix")) {
      if (block.contains("name")) source_.fail(child_pointer(pointer, "name"), "'name' belongs to a 'matrix'");
      return add(read_bake_target(source_, name, evaluate_block(block, pointer, {}), pointer));
    }
    if (!block.contains("name"))
      source_.fail(child_pointer(pointer, "matrix"), "a matrix needs a 'name' for its targets");
    std::vector<std::string> names;
    for (const auto& scope : combinations(block.at("matrix"), child_pointer(pointer, "matrix"))) {
      const std::string at = child_pointer(pointer, "name");
      const json made = variables_.evaluate(block.at("name"), at, scope);
      if (!made.is_string()) source_.fail(at, "expected a text");
      check_name(made.get<std::string>(), at);
      names.push_back(made.get<std::string>());
      add(read_bake_target(source_, names.back(), evaluate_block(block, pointer, scope), pointer));
    }
    if (names != std::vector{name}) groups_[name] = Group{names, pointer};
  }

  // The attributes' values; keys of the block itself are no templates.
  json evaluate_block(const json& block, const std::string& pointer, const std::map<std::string, json>& scope) {
    json result = json::object();
    for (const auto& [key, value] : block.items()) {
      if (key == "matrix" || key == "name" || key == "//") continue;
      result[key] = variables_.evaluate(value, child_pointer(pointer, key), scope);
    }
    return result;
  }

  // All combinations of a matrix, the first parameter (by name) running fastest, as in buildx.
  std::vector<std::map<std::string, json>> combinations(const json& matrix, const std::string& pointer) {
    const json values = variables_.evaluate(matrix, pointer);
    if (!values.is_object()) source_.fail(pointer, "a matrix is an object of lists");
    std::vector<std::map<std::string, json>> scopes = {{}};
    for (const auto& [key, list] : values.items()) {
      if (!list.is_array()) source_.fail(child_pointer(pointer, key), "the values of a matrix are a list");
      if (list.size() * scopes.size() > kMaxTargets) {
        source_.fail(pointer, fmt::format("the matrix has more than {} combinations", kMaxTargets));
      }
      std::vector<std::map<std::string, json>> next;
      for (const json& value : list) {
        for (std::map<std::string, json> scope : scopes) {
          scope[key] = value;
          next.push_back(std::move(scope));
        }
      }
      scopes = std::move(next);
    }
    return scopes;
  }

  void check_name(const std::string& name, const std::string& pointer) const {
    if (is_target_name(name)) return;
    source_.fail(pointer, fmt::format("'{}' is no valid name; expected letters, digits, '-' and '_'", printable(name)));
  }

  void add(BakeTarget target) {
    const std::string name = target.name, pointer = target.pointer;
    if (!targets_.emplace(name, std::move(target)).second) {
      source_.fail(pointer, fmt::format("two targets have the name '{}'", printable(name)));
    }
  }

  void read_group(const std::string& name, const json& block, const std::string& pointer) {
    check_name(name, pointer);
    if (!block.is_object()) source_.fail(pointer, fmt::format("group '{}': expected an object", printable(name)));
    Group group{{}, pointer};
    for (const auto& [key, value] : block.items()) {
      const std::string at = child_pointer(pointer, key);
      if (key == "targets") {
        const json members = variables_.evaluate(value, at);
        if (!members.is_array()) source_.fail(at, "expected a list of targets");
        for (std::size_t i = 0; i < members.size(); ++i) {
          if (!members[i].is_string()) source_.fail(child_pointer(at, i), "expected the name of a target");
          const auto member = members[i].get<std::string>();
          if (std::find(group.members.begin(), group.members.end(), member) == group.members.end()) {
            group.members.push_back(member);
          }
        }
      } else if (key == "matrix" || key == "name") {
        source_.fail(at, fmt::format("a group can have no '{}'", key));
      } else if (key != "description" && key != "//") {
        source_.fail(at, fmt::format("unknown attribute '{}' of a group{}", printable(key),
                                     suggestion(key, {"description", "targets"})));
      }
    }
    if (groups_.contains(name)) {
      source_.fail(pointer,
                   fmt::format("the group '{}' is there twice (a matrix makes one of its target's name)", name));
    }
    groups_[name] = std::move(group);
  }

  std::vector<std::string> target_names() const {
    std::vector<std::string> names;
    for (const auto& [name, target] : targets_) names.push_back(name);
    return names;
  }

  void check_members() const {
    std::vector<std::string> known = target_names();
    for (const auto& [name, group] : groups_) known.push_back(name);
    for (const auto& [name, group] : groups_) {
      for (const std::string& member : group.members) {
        if (targets_.contains(member) || groups_.contains(member)) continue;
        source_.fail(
            child_pointer(group.pointer, "targets"),
            fmt::format("group '{}': unknown target '{}'{}", name, printable(member), suggestion(member, known)));
      }
    }
  }

  // The parts of a target with everything it inherits, parents first, as they are after their own overrides.
  TargetParts resolve(const BakeTarget& target, std::vector<std::string>& path) {
    if (const auto known = resolved_.find(target.name); known != resolved_.end()) return known->second;
    const std::string at = child_pointer(target.pointer, "inherits");
    if (std::find(path.begin(), path.end(), target.name) != path.end()) {
      source_.fail(
          at, fmt::format("target '{}' inherits from itself: {} -> {}", target.name, join(path, " -> "), target.name));
    }
    path.push_back(target.name);
    TargetParts parts;
    for (const std::string& name : target.inherits) {
      const auto parent = targets_.find(name);
      if (parent == targets_.end()) {
        source_.fail(at, fmt::format("target '{}' inherits from an unknown target '{}'{}", target.name, printable(name),
                                     suggestion(name, target_names())));
      }
      parts.merge(resolve(parent->second, path));
    }
    path.pop_back();
    parts.merge(target.parts);
    override_parts(parts, {target.name}, options_.overrides);
    resolved_[target.name] = parts;
    return parts;
  }

  void check_links(const std::string& name, std::vector<std::string>& path) {
    path.push_back(name);
    const BakeTarget& target = targets_.at(name);
    std::vector<std::string> inheritance;
    for (const auto& [context, value] : resolve(target, inheritance).contexts) {
      if (!value.starts_with("target:")) continue;
      const std::string wanted = value.substr(7);
      const std::string at = child_pointer(target.pointer, "contexts");
      if (!targets_.contains(wanted)) {
        source_.fail(at, fmt::format("target '{}': the context '{}' names an unknown target '{}'{}", name,
                                     printable(context), printable(wanted), suggestion(wanted, target_names())));
      }
      if (std::find(path.begin(), path.end(), wanted) != path.end()) {
        source_.fail(at, fmt::format("target '{}' is built from itself: {} -> {}", wanted, join(path, " -> "), wanted));
      }
      if (!linked_.contains(wanted)) check_links(wanted, path);
    }
    path.pop_back();
    linked_.insert(name);
  }

  TargetSpec complete(const BakeTarget& bake_target) {
    std::vector<std::string> path;
    if (!linked_.contains(bake_target.name)) check_links(bake_target.name, path);
    std::vector<std::string> inheritance;
    TargetParts parts = resolve(bake_target, inheritance);
    if (!parts.context) parts.context = ".";
    if (!parts.dockerfile) parts.dockerfile = "Dockerfile";
    TargetSpec target;
    target.name = bake_target.name;
    target.image = bake_target.name;
    target.definition = source_.file();
    try {
      parts.apply_to(target, options_.working_directory);
    } catch (const Error& error) {
      source_.fail(bake_target.pointer, error.message());
    }
    return target;
  }

  const JsonSource& source_;
  const BakeFileOptions& options_;
  BakeVariables variables_;
  std::map<std::string, BakeTarget> targets_;
  std::map<std::string, Group> groups_;
  std::map<std::string, TargetParts> resolved_;
  std::set<std::string> linked_;
};

}  // namespace

Fleet load_bake_file(const fs::path& given, const BakeFileOptions& options) {
  const fs::path file = fs::absolute(given).lexically_normal();
  const std::string extension = to_lower(file.extension().string());
  if (extension == ".hcl") {
    throw Error(Category::usage,
                fmt::format("'{}' is HCL, which kiln does not read; run 'docker buildx bake -f {} --print > "
                            "docker-bake.json' and bake that file",
                            display_path(file), display_path(file)));
  }
  if (extension == ".yml" || extension == ".yaml") {
    throw Error(Category::usage,
                fmt::format("'{}' is a compose file, which kiln does not bake; run 'docker buildx bake -f {} --print > "
                            "docker-bake.json' and bake that file",
                            display_path(file), display_path(file)));
  }
  const JsonSource source = JsonSource::read(file);
  return BakeFile(source, options).load();
}

}  // namespace kiln

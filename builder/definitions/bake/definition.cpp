#include "builder/definitions/bake/definition.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/csv.hpp"
#include "base/error.hpp"
#include "base/near_hint.hpp"
#include "base/paths.hpp"
#include "base/standard_input.hpp"
#include "base/text.hpp"
#include "builder/definitions/bake/context_paths.hpp"
#include "builder/definitions/compose/compose_targets.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/json_source.hpp"
#include "registry/oci/platform.hpp"

namespace kiln::bake {

namespace {

constexpr std::uint64_t kMaxBytes = std::uint64_t{4} << 20;

struct BakeText {
  std::string name;
  std::string text;
};

enum class Syntax { compose, json, native };

BakeText read_text(const std::string& file, const DefinitionOptions& options) {
  if (file == "-") {
    return {"-", read_standard_input(kMaxBytes, "the bake file")};
  }
  const bool is_caller_s = file.starts_with(kCallerScheme);
  const fs::path path =
      is_caller_s ? options.working_directory / file.substr(kCallerScheme.size()) : options.folders().base / file;
  if (options.fetched_folder && !is_caller_s && leads_out(path, *options.fetched_folder)) {
    throw Error(Category::usage, fmt::format("'{}' leads out of the repository it is taken from", printable(file)));
  }
  return {display_path(path), read_named_file(path, kMaxBytes)};
}

// As it was named; nullopt for what is no file of a folder.
std::optional<std::string> folder_of_file(const std::string& file) {
  if (file == "-" || file.starts_with(kCallerScheme)) return std::nullopt;
  const fs::path folder = fs::path(file).parent_path();
  return folder.empty() ? "." : folder.native();
}

// The contexts of Compose files, which are relative to the first of them.
void take_project_relative(const std::string& folder, BakeConfig& config) {
  for (BakeTarget& target : config.targets) {
    target.folder = folder;
    const auto context = target.values.find("context");
    if (context != target.values.end()) {
      context->second = hcl::Value::of(context_below(folder, context->second.text()));
    }
    take_contexts_below(folder, target);
  }
}

// Whether the first line that says something begins with a key of YAML, "NAME:". In HCL no line outside of a heredoc
// does.
bool begins_with_key(std::string_view text) {
  for (const std::string_view line : split(text, '\n')) {
    const std::string_view words = trim(line);
    if (words.empty() || words.starts_with('#') || words.starts_with("---") || words.starts_with('%')) continue;
    const std::size_t end = words.find_first_of(" \t:={(/");
    return end != std::string_view::npos && words[end] == ':';
  }
  return false;
}

// Whether a text in braces is a Compose file: its first key is one of those.
bool is_compose_in_braces(std::string_view text) {
  std::string_view words = trim(text.substr(1));
  if (words.starts_with('"') || words.starts_with('\'')) words.remove_prefix(1);
  static constexpr std::string_view kKeys[] = {"services", "include", "version", "volumes", "networks", "secrets"};
  const std::string_view key = words.substr(0, words.find_first_of("\"': \t\n"));
  return std::find(std::begin(kKeys), std::end(kKeys), key) != std::end(kKeys);
}

// By the name, and where that says nothing by how the text begins.
Syntax syntax_of(const BakeText& file) {
  const std::string name = to_lower(file.name);
  if (name.ends_with(".yml") || name.ends_with(".yaml")) return Syntax::compose;
  if (name.ends_with(".json")) return Syntax::json;
  if (name.ends_with(".hcl")) return Syntax::native;
  if (const std::string_view text = trim(file.text); text.starts_with('{'))
    return is_compose_in_braces(text) ? Syntax::compose : Syntax::json;
  return begins_with_key(file.text) ? Syntax::compose : Syntax::native;
}

std::map<std::string, std::string> given_variables(const std::vector<std::string>& words) {
  std::map<std::string, std::string> result;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (word.empty()) continue;
    if (equals == std::string::npos || equals == 0) {
      throw Error(Category::usage, fmt::format("--var '{}': expected NAME=VALUE", printable(word)));
    }
    result[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return result;
}

// Columns as Go's tabwriter aligns them: padded by tabs of eight.
std::string tabbed(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t i = 0; i + 1 < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size() + 1);
  }
  std::string result;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      result += row[i];
      if (i + 1 == row.size()) break;
      const std::size_t width = (widths[i] + 7) / 8 * 8;
      result.append((width - row[i].size() + 7) / 8, '\t');
    }
    result += '\n';
  }
  return result;
}

std::string json_field(std::string_view name, const std::string& value) {
  return fmt::format("    \"{}\": {}", name, hcl::to_json_text(hcl::Value::of(value)));
}

std::string json_list(const std::vector<std::vector<std::string>>& objects) {
  std::vector<std::string> texts;
  for (const auto& fields : objects) texts.push_back("  {\n" + join(fields, ",\n") + "\n  }");
  return texts.empty() ? "null\n" : "[\n" + join(texts, ",\n") + "\n]\n";
}

std::string list_targets(const BakeConfig& config, bool is_json) {
  struct Entry {
    std::string name, description;
    bool is_group;
  };
  std::vector<Entry> listed;
  for (const BakeTarget& target : config.targets) {
    const auto description = target.values.find("description");
    listed.push_back(
        {target.name, description == target.values.end() ? "" : description->second.text(), /*is_group=*/false});
  }
  for (const BakeGroup& group : config.groups) {
    std::vector<std::string> members = group.targets;
    std::sort(members.begin(), members.end());
    std::string text = join(members, ", ");
    if (!group.description.empty()) text = group.description + (text.empty() ? "" : " (" + text + ")");
    listed.push_back({group.name, text, /*is_group=*/true});
  }
  std::stable_sort(listed.begin(), listed.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  std::vector<std::vector<std::string>> rows = {{"TARGET", "DESCRIPTION"}}, objects;
  for (const Entry& entry : listed) {
    if (entry.name.starts_with('_')) continue;  // by convention what others inherit from only
    rows.push_back({entry.name, entry.description});
    objects.push_back({json_field("name", entry.name)});
    if (!entry.description.empty()) objects.back().push_back(json_field("description", entry.description));
    if (entry.is_group) objects.back().emplace_back("    \"group\": true");
  }
  return is_json ? json_list(objects) : tabbed(rows);
}

std::string list_variables(const BakeConfig& config, bool is_json) {
  std::vector<std::vector<std::string>> rows = {{"VARIABLE", "TYPE", "VALUE", "DESCRIPTION"}}, objects;
  for (const BakeVariable& variable : config.variables) {
    rows.push_back({variable.name, variable.type, variable.value.value_or("<null>"), variable.description});
    objects.push_back({json_field("name", variable.name)});
    if (!variable.description.empty()) objects.back().push_back(json_field("description", variable.description));
    if (!variable.type.empty()) objects.back().push_back(json_field("type", variable.type));
    if (variable.value) objects.back().push_back(json_field("value", *variable.value));
  }
  return is_json ? json_list(objects) : tabbed(rows);
}

// Those of Compose files are found where they are used.
void warn_of_unknown_variables(const std::map<std::string, std::string>& given, BakeConfig& config) {
  std::vector<std::string> known;
  for (const BakeVariable& variable : config.variables) known.push_back(variable.name);
  for (const auto& [name, value] : given) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    config.warnings.push_back(
        fmt::format("--var '{}' is no variable of the bake files{}", printable(name), near_hint(name, known)));
  }
}

// Compose reads an override beside a single file by itself, and a bake does not, as with buildx.
void warn_of_overrides(const DefinitionOptions& options, BakeConfig& config) {
  const fs::path base = options.folders().base;
  for (const std::string& file : options.files) {
    if (file == "-" || file.starts_with(kCallerScheme)) continue;
    const auto override_file = compose::automatic_override(base / file);
    if (!override_file) continue;
    const fs::path named = fs::path(file).parent_path() / override_file->filename();
    if (std::find(options.files.begin(), options.files.end(), named.native()) != options.files.end()) continue;
    config.warnings.push_back(fmt::format("'{0}' is left out: a bake reads the files that are named, '-f {1} -f {0}'",
                                          printable(named.native()), printable(file)));
  }
}

}  // namespace

Definition Definition::load(const DefinitionOptions& options) {
  const auto given = given_variables(options.variables);
  std::vector<compose::ComposeFile> compose_files;
  std::vector<hcl::Document> documents;
  BakeConfig config;
  ModuleOptions module;
  std::optional<std::string> compose_folder;
  for (const std::string& file : options.files) {
    BakeText text = read_text(file, options);
    const Syntax syntax = syntax_of(text);
    const std::optional<std::string> folder = options.has_file_relative_paths ? folder_of_file(file) : std::nullopt;
    if (syntax == Syntax::compose) {
      if (compose_files.empty()) compose_folder = folder;
      compose_files.push_back(compose::parse_compose_file(text.name, std::move(text.text)));
    } else {
      documents.push_back(syntax == Syntax::json ? hcl::parse_json_syntax(text.name, std::move(text.text))
                                                 : hcl::parse_native(text.name, std::move(text.text)));
      if (folder) module.folders.emplace(documents.back().source.get(), *folder);
    }
  }
  const bool has_compose_files = !compose_files.empty();
  if (has_compose_files) {
    compose::ComposeOptions project{options.working_directory, options.environment, given, options.fetched_folder};
    if (options.needed_value) project.project_name = *options.needed_value;
    project.reads_env_files = options.reads_env_files;
    project.needed_value = options.needed_value;
    compose::add_compose_targets(std::move(compose_files), project, config);
    if (compose_folder) take_project_relative(*compose_folder, config);
    warn_of_overrides(options, config);
  }
  module.given = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = given.find(name);
    return found == given.end() ? options.environment(name) : std::optional(found->second);
  };
  module.built_in = {{"BAKE_CMD_CONTEXT", "cwd://"}, {"BAKE_LOCAL_PLATFORM", oci::Platform::host().str()}};
  module.checks_values = !options.needed_value;
  evaluate_module(documents, module, config);
  if (!has_compose_files) warn_of_unknown_variables(given, config);
  TargetNames names;
  for (const BakeTarget& target : config.targets) names.emplace(target.name, target.name);
  SetWords set(options.set, names, options.environment);
  config.warnings.insert(config.warnings.end(), set.warnings().begin(), set.warnings().end());
  Definition definition(std::move(config), std::move(set));
  definition.source_date_epoch_ = options.environment("SOURCE_DATE_EPOCH").value_or("");
  definition.fetched_url_ = options.fetched_url;
  return definition;
}

Selection Definition::select(const std::vector<std::string>& requested) const {
  Resolver resolver(config_, set_);
  Selection selection = resolver.select(requested);
  if (!fetched_url_.empty()) {
    for (auto& [name, values] : selection.targets) {
      const std::string context = resolver.complete(name, Resolver::ContextOf::build).at("context").text();
      if (context.starts_with(kCallerScheme) || is_remote_context(context)) continue;
      values.insert_or_assign("context", hcl::Value::of(context_in(fetched_url_, context)));
    }
  }
  if (source_date_epoch_.empty()) return selection;
  AttributeValues epoch;
  epoch.emplace("args",
                hcl::Value::map(hcl::Type::string(), {{"SOURCE_DATE_EPOCH", hcl::Value::of(source_date_epoch_)}}));
  for (auto& [name, values] : selection.targets) {
    AttributeValues with_epoch = epoch;
    merge_over(with_epoch, values);
    values = std::move(with_epoch);
  }
  return selection;
}

std::vector<std::string> default_files(const fs::path& folder) {
  std::vector<std::string> result;
  for (const char* name :
       {"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml", "docker-bake.json",
        "docker-bake.hcl", "docker-bake.override.json", "docker-bake.override.hcl"}) {
    if (fs::exists(folder / name)) result.emplace_back(name);
  }
  return result;
}

std::string list_config(const BakeConfig& config, const std::string& what) {
  std::string type = what, format = "table";
  if (what.find('=') != std::string::npos) {
    type.clear();
    for (const std::string& field : csv_fields(what, "--list")) {
      const std::size_t equals = field.find('=');
      const std::string key(trim(field.substr(0, equals)));
      const std::string value = equals == std::string::npos ? "" : field.substr(equals + 1);
      if (key == "type") {
        type = value;
      } else if (key == "format") {
        format = value;
      } else {
        throw Error(Category::usage, fmt::format("--list '{}': unknown key '{}'{}", printable(what), printable(key),
                                                 suggestion(key, {"format", "type"})));
      }
    }
  }
  if (format != "table" && format != "json") {
    throw Error(Category::usage, fmt::format("--list '{}': unknown format '{}'; known: json, table", printable(what),
                                             printable(format)));
  }
  if (type == "targets") return list_targets(config, format == "json");
  if (type == "variables") return list_variables(config, format == "json");
  throw Error(Category::usage, fmt::format("--list '{}': unknown type '{}'{}", printable(what), printable(type),
                                           suggestion(type, {"targets", "variables"})));
}

}  // namespace kiln::bake

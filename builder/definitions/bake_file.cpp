#include "builder/definitions/bake_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/join_first.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

using hcl::Value;

// Caches that kiln has not are passed over: a build without a cache is still that build.
void pass_over_caches(const std::string& target, bake::AttributeValues& values, std::set<std::string>& warnings) {
  static const std::set<std::string> kTypes = {"azblob", "gha", "inline", "s3"};
  for (const char* name : {"cache-from", "cache-to"}) {
    const auto caches = values.find(name);
    if (caches == values.end()) continue;
    Value::Items taken;
    for (const Value& cache : caches->second.items()) {
      const std::string& type = cache.members().at("type").text();
      if (!kTypes.contains(type)) {
        taken.push_back(cache);
        continue;
      }
      warnings.insert(
          fmt::format("target '{}': the cache 'type={}' is passed over; docs/cache.md says what to use in its "
                      "place",
                      printable(target), type));
    }
    caches->second = Value::tuple(std::move(taken));
  }
}

// What definitions from elsewhere have written is inside of the caller's folder.
void check_outputs(const bake::AttributeValues& values, const bake::AttributeFolders& folders) {
  for (const auto& [name, key] : {std::pair{"output", "dest"}, std::pair{"cache-to", "dest"}, {"cache-from", "src"}}) {
    const auto entries = values.find(name);
    if (entries == values.end()) continue;
    for (const Value& entry : entries->second.items()) {
      const auto path = entry.members().find(key);
      if (path != entry.members().end() && path->second.text() != "-") path_of_caller(path->second.text(), folders);
    }
  }
}

// By attribute, the targets that say what kiln does not honour.
using LeftOut = std::map<std::string_view, std::vector<std::string>>;

// Of files that are looked at and not built: what kiln does not honour is left out, so that the rest is seen.
void leave_out_refused(const std::string& target, bake::AttributeValues& values, LeftOut& left_out) {
  std::erase_if(values, [&](const auto& said) {
    const bake::Attribute& attribute = *bake::find_attribute(said.first);
    const bool is_refused = bake::is_refused(attribute, said.second);
    if (is_refused) left_out[attribute.name].push_back(target);
    return is_refused;
  });
}

std::string sentence_of(std::string_view attribute, const std::vector<std::string>& targets) {
  constexpr std::size_t kMostNamed = 8;
  std::vector<std::string> names;
  for (const std::string& target : targets) names.push_back(fmt::format("'{}'", printable(target)));
  return fmt::format("'{}' of {} is left out: kiln does not honour it", attribute, join_first(names, kMostNamed));
}

// Sets in `target` what the values say. Error{usage} with the place of a value that cannot be.
void apply_said(const bake::Resolver& resolver, const bake::AttributeValues& values,
                const bake::AttributeFolders& folders, TargetSpec& target) {
  for (const bake::Attribute& attribute : bake::attributes()) {
    const auto said = values.find(attribute.name);
    if (said == values.end()) continue;
    try {
      bake::apply_value(attribute, said->second, target, folders);
    } catch (const Error& error) {
      if (error.category() != Category::usage) throw;
      hcl::fail(resolver.place_of(target.name, attribute.name), error.message());
    }
  }
}

}  // namespace

Fleet bake_fleet(const bake::Definition& definition, const bake::DefinitionOptions& options,
                 const std::vector<std::string>& wanted) {
  const bake::BakeConfig& config = definition.config();
  Fleet fleet;
  fleet.front_end = FrontEnd::bake_file;
  const std::string& first = options.files.front();
  fleet.file = (options.folders().base / (first == "-" ? "docker-bake.hcl" : first)).lexically_normal();
  fleet.folder = fleet.file.parent_path();
  fleet.settings.tag_templates.clear();
  fleet.warnings = config.warnings;
  bake::Resolver resolver(config, definition.set());
  // What is not there at all is told when the targets are selected.
  std::set<std::string> needed;
  const std::vector<std::string> names = wanted.empty() ? std::vector<std::string>{"default"} : wanted;
  for (const std::string& name : names) {
    if (!resolver.knows(name)) continue;
    for (const auto& [target, values] : resolver.select({name}).targets) needed.insert(target);
  }
  LeftOut left_out;
  for (const bake::BakeTarget& defined : config.targets) {
    TargetSpec target;
    target.name = defined.name;
    target.image = defined.name;
    target.definition = fleet.file;
    try {
      resolver.check_links(defined.name);
      bake::AttributeValues values = resolver.complete(defined.name, bake::Resolver::ContextOf::build);
      std::set<std::string> warnings;
      pass_over_caches(defined.name, values, warnings);
      if (options.needed_value) leave_out_refused(defined.name, values, left_out);
      apply_said(resolver, values, options.folders(), target);
      if (options.fetched_folder) check_outputs(values, options.folders());
      if (needed.contains(defined.name)) fleet.warnings.insert(fleet.warnings.end(), warnings.begin(), warnings.end());
      fleet.targets.push_back(std::move(target));
    } catch (const Error&) {
      if (needed.contains(defined.name)) throw;
    }
  }
  for (const auto& [attribute, targets] : left_out) fleet.warnings.push_back(sentence_of(attribute, targets));
  std::sort(fleet.targets.begin(), fleet.targets.end(),
            [](const TargetSpec& a, const TargetSpec& b) { return a.name < b.name; });
  for (const bake::BakeGroup& group : config.groups) fleet.groups[group.name] = group.targets;
  return fleet;
}

}  // namespace kiln

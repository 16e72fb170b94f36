#include "builder/definitions/bake_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <variant>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/bake_attributes.hpp"
#include "builder/definitions/refused_attributes.hpp"

namespace kiln {

namespace {

using hcl::Value;

// Attestations that are switched off ask for nothing; what an entitlement permits is permitted on the command line.
bool asks_for_nothing(const bake::Attribute& attribute, const Value& value) {
  if (value.is_sequence()) {
    return std::all_of(value.items().begin(), value.items().end(), [&](const Value& item) {
      if (attribute.name == "attest") return item.members().contains("disabled");
      return attribute.name == "entitlements" && (item.text() == "network.host" || item.text() == "security.insecure");
    });
  }
  return value.is_mapping() ? value.size() == 0 : value.is(Value::Kind::string) && value.text().empty();
}

std::vector<std::string> texts_of(const bake::Attribute& attribute, const Value& value) {
  std::vector<std::string> result;
  for (const Value& item : value.items()) {
    result.push_back(attribute.form == bake::Attribute::Form::entries ? bake::text_of_entry(attribute.entry, item)
                                                                      : item.text());
  }
  return result;
}

TargetParts parts_of(const std::string& target, const bake::AttributeValues& values) {
  TargetParts parts;
  for (const auto& [name, value] : values) {
    const bake::Attribute& attribute = *bake::find_attribute(name);
    const auto& rows = bake_attributes();
    const auto row =
        std::find_if(rows.begin(), rows.end(), [&](const BakeAttribute& known) { return known.name == name; });
    if (row == rows.end()) {
      if (asks_for_nothing(attribute, value)) continue;
      throw Error(Category::usage, fmt::format("target '{}': kiln does not honour '{}': {}", printable(target), name,
                                               reason_against(name).value_or("it has nothing like it")));
    }
    if (const auto* text = std::get_if<BakeAttribute::Text>(&row->member)) {
      parts.*(*text) = value.text();
    } else if (const auto* flag = std::get_if<BakeAttribute::Flag>(&row->member)) {
      parts.*(*flag) = value.boolean();
    } else if (const auto* texts = std::get_if<BakeAttribute::Texts>(&row->member)) {
      parts.*(*texts) = texts_of(attribute, value);
    } else {
      for (const auto& [key, item] : value.members()) {
        (parts.*std::get<BakeAttribute::Pairs>(row->member))[key] = item.text();
      }
    }
  }
  return parts;
}

// Caches that kiln has not are passed over: a build without a cache is still that build.
void pass_over_caches(const std::string& target, TargetParts& parts, std::set<std::string>& warnings) {
  static constexpr std::array<std::string_view, 4> kTypes = {"azblob", "gha", "inline", "s3"};
  for (auto* caches : {&parts.cache_from, &parts.cache_to}) {
    if (!*caches) continue;
    std::erase_if(**caches, [&](const std::string& cache) {
      const auto type = std::find_if(kTypes.begin(), kTypes.end(), [&](std::string_view known) {
        const std::string begin = fmt::format("type={}", known);
        return cache == begin || cache.starts_with(begin + ",");
      });
      if (type == kTypes.end()) return false;
      warnings.insert(
          fmt::format("target '{}': the cache 'type={}' is passed over; docs/cache.md says what to use in its "
                      "place",
                      printable(target), *type));
      return true;
    });
  }
}

}  // namespace

Fleet bake_fleet(const bake::Definition& definition, const bake::DefinitionOptions& options,
                 const std::vector<std::string>& wanted) {
  const bake::BakeConfig& config = definition.config();
  Fleet fleet;
  fleet.front_end = FrontEnd::bake_file;
  const std::string& first = options.files.front();
  fleet.file = (options.working_directory / (first == "-" ? "docker-bake.hcl" : first)).lexically_normal();
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
  for (const bake::BakeTarget& defined : config.targets) {
    TargetSpec target;
    target.name = defined.name;
    target.image = defined.name;
    target.definition = fleet.file;
    try {
      resolver.check_links(defined.name);
      TargetParts parts = parts_of(defined.name, resolver.complete(defined.name));
      std::set<std::string> warnings;
      pass_over_caches(defined.name, parts, warnings);
      parts.apply_to(target, options.working_directory);
      if (needed.contains(defined.name)) fleet.warnings.insert(fleet.warnings.end(), warnings.begin(), warnings.end());
      fleet.targets.push_back(std::move(target));
    } catch (const Error&) {
      if (needed.contains(defined.name)) throw;
    }
  }
  std::sort(fleet.targets.begin(), fleet.targets.end(),
            [](const TargetSpec& a, const TargetSpec& b) { return a.name < b.name; });
  for (const bake::BakeGroup& group : config.groups) fleet.groups[group.name] = group.targets;
  return fleet;
}

}  // namespace kiln

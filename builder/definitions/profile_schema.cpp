#include "builder/definitions/profile_schema.hpp"

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "builder/definitions/embedded_schemas.hpp"
#include "builder/definitions/json_source.hpp"

namespace kiln {

using nlohmann::json;

namespace {

constexpr const char* kSets = "x-kiln-sets";

// Writes the members of `own` into `merged`, property by property.
void add_properties(json& merged, const json& own) {
  for (const auto& [name, property] : own.items()) {
    json added = property;
    const bool loses_sets = merged.contains(name) && merged.at(name).contains(kSets) && added.is_object();
    if (loses_sets && !added.contains(kSets)) added[kSets] = merged.at(name).at(kSets);
    merged[name] = std::move(added);
  }
}

}  // namespace

JsonSchema extended_profile_schema(std::string_view text, const fs::path& file) {
  const std::string name = display_path(file);
  const json own = parse_json(text, name, Category::usage);
  json merged = parse_own_json(embedded::profile_schema_text());
  if (!own.is_object()) return JsonSchema::parse(text, name);  // `true` and `false`, and what is no schema
  for (const auto& [keyword, value] : own.items()) {
    if (keyword == "properties" && value.is_object()) {
      add_properties(merged["properties"], value);
    } else if (keyword == "$defs" && value.is_object()) {
      merged["$defs"].update(value);
    } else {
      merged[keyword] = value;
    }
  }
  try {
    return JsonSchema::parse(json_text(merged), name);
  } catch (const Error&) {
    JsonSchema::parse(text, name);  // what is wrong in the file is told by its own lines
    throw;
  }
}

}  // namespace kiln

#include "builder/definitions/bake/attributes.hpp"

#include <algorithm>
#include <unordered_map>

#include "builder/definitions/bake/attribute_members.hpp"

namespace kiln::bake {

const std::vector<Attribute>& attributes() {
  static const auto table = [] {
    std::vector<Attribute> rows;
    for (const auto& part : {source_attributes(), image_attributes(), run_attributes(), solve_attributes()})
      rows.insert(rows.end(), part.begin(), part.end());
    std::sort(rows.begin(), rows.end(), [](const Attribute& a, const Attribute& b) { return a.place < b.place; });
    return rows;
  }();
  return table;
}

const Attribute* find_attribute(std::string_view name) {
  static const auto index = [] {
    std::unordered_map<std::string_view, const Attribute*> result;
    for (const Attribute& attribute : attributes()) result.emplace(attribute.name, &attribute);
    return result;
  }();
  const auto found = index.find(name);
  return found == index.end() ? nullptr : found->second;
}

}  // namespace kiln::bake

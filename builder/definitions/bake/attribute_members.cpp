#include "builder/definitions/bake/attribute_members.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/hcl/convert.hpp"

namespace kiln::bake {

std::optional<Value> value_of_text(const std::string& text) {
  return text.empty() ? std::optional<Value>() : Value::of(text);
}

std::optional<Value> value_of_items(const std::vector<std::string>& texts) {
  if (texts.empty()) return std::nullopt;
  Value::Items items;
  for (const std::string& text : texts) items.push_back(Value::of(text));
  return Value::list(Type::string(), std::move(items));
}

std::optional<Value> value_of_pairs(const std::map<std::string, std::string>& pairs) {
  if (pairs.empty()) return std::nullopt;
  Value::Members members;
  for (const auto& [key, text] : pairs) members.emplace(key, Value::of(text));
  return Value::map(Type::string(), std::move(members));
}

std::optional<Value> value_of_entries(EntryKind kind, const std::vector<std::string>& texts, const TargetSpec& target) {
  Value::Items entries;
  for (const std::string& text : texts) {
    try {
      for (Value& entry : entries_of_text(kind, text)) entries.push_back(std::move(entry));
    } catch (const hcl::ValueError& error) {
      throw Error(Category::usage, fmt::format("target '{}': {}", printable(target.name), error.what()));
    }
  }
  return entries.empty() ? std::optional<Value>() : Value::tuple(std::move(entries));
}

std::vector<std::string> texts_of(const Value& list) {
  std::vector<std::string> texts;
  for (const Value& item : list.items()) texts.push_back(item.text());
  return texts;
}

std::size_t place_of_word(const std::string& value, std::string_view what, const std::vector<std::string>& known,
                          const TargetSpec& target) {
  const auto found = std::find(known.begin(), known.end(), value);
  if (found != known.end()) return static_cast<std::size_t>(found - known.begin());
  throw Error(Category::usage, fmt::format("target '{}': {} '{}' is not valid; known: {}", printable(target.name), what,
                                           printable(value), join(known, ", ")));
}

std::string shown_path(const fs::path& path, const fs::path& base) {
  const fs::path relative = path.lexically_relative(base);
  return relative.empty() || *relative.begin() == ".." ? path.string() : relative.string();
}

}  // namespace kiln::bake

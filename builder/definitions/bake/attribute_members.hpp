#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/definitions/bake/attributes.hpp"

// What the rows of attributes are written with. Each file of rows (source_, image_, run_ and solve_attributes.cpp)
// holds beside them what only its own rows need.
namespace kiln::bake {

using hcl::Type;
using hcl::Value;

std::vector<Attribute> source_attributes();
std::vector<Attribute> image_attributes();
std::vector<Attribute> run_attributes();
std::vector<Attribute> solve_attributes();

// What a member of a target is as a value; nullopt for an empty one.
std::optional<Value> value_of_text(const std::string& text);
std::optional<Value> value_of_items(const std::vector<std::string>& texts);
std::optional<Value> value_of_pairs(const std::map<std::string, std::string>& pairs);
// Of texts that --cache-from and --output take. Error{usage} naming the target for one that is none.
std::optional<Value> value_of_entries(EntryKind kind, const std::vector<std::string>& texts, const TargetSpec& target);

std::vector<std::string> texts_of(const Value& list);
// What `value` is among `known` words. Error{usage} naming the target for none of them.
std::size_t place_of_word(const std::string& value, std::string_view what, const std::vector<std::string>& known,
                          const TargetSpec& target);
// Relative to `base` where it is below.
std::string shown_path(const fs::path& path, const fs::path& base);

// The pairs of functions of rows whose member is enough.

template <std::string TargetSpec::*kMember>
void apply_text(const Value& value, TargetSpec& target, const AttributeFolders&) {
  target.*kMember = value.text();
}
template <std::string TargetSpec::*kMember>
std::optional<Value> text_of(const TargetSpec& target, const fs::path&) {
  return value_of_text(target.*kMember);
}

// Of an enumeration that has to_string(); nullopt for an empty text.
template <typename Word>
std::optional<Word> word_of(const Value& value, std::string_view what, std::initializer_list<Word> known,
                            const TargetSpec& target) {
  if (value.text().empty()) return std::nullopt;
  std::vector<std::string> words;
  for (const Word word : known) words.emplace_back(to_string(word));
  return known.begin()[place_of_word(value.text(), what, words, target)];
}
template <auto TargetSpec::*kMember>
std::optional<Value> word_of_target(const TargetSpec& target, const fs::path&) {
  const auto& word = target.*kMember;
  return word ? std::optional<Value>(Value::of(std::string(to_string(*word)))) : std::nullopt;
}

template <bool TargetSpec::*kMember>
void apply_flag(const Value& value, TargetSpec& target, const AttributeFolders&) {
  target.*kMember = value.boolean();
}
template <bool TargetSpec::*kMember>
std::optional<Value> flag_of(const TargetSpec& target, const fs::path&) {
  return target.*kMember ? std::optional<Value>(Value::of(true)) : std::nullopt;
}

template <std::vector<std::string> TargetSpec::*kMember>
void apply_texts(const Value& value, TargetSpec& target, const AttributeFolders&) {
  target.*kMember = texts_of(value);
}
template <std::vector<std::string> TargetSpec::*kMember>
std::optional<Value> texts_of_target(const TargetSpec& target, const fs::path&) {
  return value_of_items(target.*kMember);
}

// Caches and outputs stay what --cache-from and --output take.
template <std::vector<std::string> TargetSpec::*kMember, EntryKind kKind>
void apply_entries(const Value& value, TargetSpec& target, const AttributeFolders&) {
  (target.*kMember).clear();
  for (const Value& entry : value.items()) (target.*kMember).push_back(text_of_entry(kKind, entry));
}
template <std::vector<std::string> TargetSpec::*kMember, EntryKind kKind>
std::optional<Value> entries_of(const TargetSpec& target, const fs::path&) {
  return value_of_entries(kKind, target.*kMember, target);
}

// A key that is not said stays what it is.
template <std::map<std::string, std::string> TargetSpec::*kMember>
void apply_pairs(const Value& value, TargetSpec& target, const AttributeFolders&) {
  for (const auto& [key, text] : value.members()) (target.*kMember)[key] = text.text();
}

}  // namespace kiln::bake

#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "builder/definitions/target_parts.hpp"

namespace kiln {

// How an attribute's value is written where it is a list.
enum class AttributeForm {
  plain,    // texts
  options,  // "type=registry,ref=...", or an object of the same: one line of CSV each
  agents,   // "ID=PATH,PATH", or an object {id, paths}
};

// What a target says about a list that it inherits.
enum class Inheritance { replaces, appends };

// One attribute of a bake file's target: all that is known of it stands in its row. The rows stand in the order in
// which --print shows them.
struct BakeAttribute {
  using Text = std::optional<std::string> TargetParts::*;
  using Flag = std::optional<bool> TargetParts::*;
  using Texts = std::optional<std::vector<std::string>> TargetParts::*;
  using Pairs = std::map<std::string, std::string> TargetParts::*;

  std::string_view name;                          // in a bake file
  std::variant<Text, Flag, Texts, Pairs> member;  // what holds it until a TargetSpec is made
  AttributeForm form = AttributeForm::plain;
  Inheritance inheritance = Inheritance::replaces;
  std::string_view set_key = {};         // of --set; empty: it cannot be set
  std::string_view set_alias = {};       // buildx's other name for that
  std::string_view definition_key = {};  // of image.json; empty: image definitions say it otherwise
  bool is_input = false;                 // part of the hash of a target's inputs, see target_inputs.hpp

  // Sets the spec's member from parts that say it. Error{usage}.
  void (*apply)(const TargetParts& parts, TargetSpec& target, const fs::path& working_directory) = nullptr;
  // The value as --print shows it, paths below `working_directory` relative to it; null for what has none.
  nlohmann::ordered_json (*print)(const TargetSpec& target, const fs::path& working_directory) = nullptr;

  bool is_said(const TargetParts& parts) const;
};

const std::vector<BakeAttribute>& bake_attributes();

// The attributes that --set names so; nullptr for none.
const BakeAttribute* find_set_key(std::string_view key);

}  // namespace kiln

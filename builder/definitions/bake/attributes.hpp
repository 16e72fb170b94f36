#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "builder/definitions/bake/context_paths.hpp"
#include "builder/definitions/bake/entries.hpp"
#include "builder/definitions/hcl/value.hpp"
#include "builder/definitions/target_spec.hpp"

namespace kiln::bake {

// One attribute of a target as buildx 0.38 has it, and all that kiln knows of it: what it holds, what happens to it
// where a target is merged over another, how --set, --print and image.json say it, what of a TargetSpec it is. These
// rows are the only list of attributes; they stand in source_, image_, run_ and solve_attributes.cpp.
struct Attribute {
  enum class Form { text, flag, texts, pairs, entries, resources };
  enum class Merge { replace, append, by_key };

  std::string_view name;
  int place;  // among all rows, whose order is buildx's: where --print shows it, and when it is applied
  Form form;
  Merge merge;
  EntryKind entry = EntryKind::cache;  // of entries
  // Of pairs: whether a null leaves the key to what is below. Else it is refused.
  bool allows_null_members = false;
  // What a target that does not say it has in `target.NAME.ATTRIBUTE`: null, or an empty text or list.
  bool is_never_null = false;
  std::string_view set_name = {};  // a second key of --set, beside the name; see set_names()
  bool cannot_be_set = false;
  // --set only ever adds to it, as in buildx: an empty value alone clears it.
  bool is_only_added_to = false;
  std::string_view definition_key = {};  // of image.json; empty: image definitions say it otherwise
  bool is_input = false;                 // part of the hash of a target's inputs, see solve/target_inputs.hpp
  // Why a target that says it is not built, nor is it by 'kiln build', and what to do instead; empty: it is.
  std::string_view refusal = {};
  // Of one that is refused: whether an item of its list asks for nothing that kiln would have to do.
  bool (*asks_for_nothing)(const hcl::Value& item) = nullptr;

  // Sets what a target says, in the form that read_attribute() makes. Rows are applied in their order.
  // Error{usage}.
  void (*apply)(const hcl::Value& value, TargetSpec& target, const AttributeFolders& folders) = nullptr;
  // The same of a target, paths below `folder` relative to it; nullopt for what it does not say.
  std::optional<hcl::Value> (*value_of)(const TargetSpec& target, const fs::path& folder) = nullptr;
};

// All rows, in their order.
const std::vector<Attribute>& attributes();
const Attribute* find_attribute(std::string_view name);

}  // namespace kiln::bake

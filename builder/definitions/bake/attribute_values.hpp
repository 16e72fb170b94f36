#pragma once

#include <map>
#include <optional>
#include <string>

#include "builder/definitions/bake/attributes.hpp"

namespace kiln::bake {

// A target's attributes, normalised: a text is a string, texts a list(string), pairs a map(string), entries a tuple.
using AttributeValues = std::map<std::string, hcl::Value, std::less<>>;

// The value of an expression as the attribute keeps it; nullopt for a null. hcl::ValueError.
std::optional<hcl::Value> read_attribute(const Attribute& attribute, const hcl::Value& value);

void merge_over(AttributeValues& into, const AttributeValues& over);
// Takes repeats and empty texts away, as buildx does behind each merge.
void normalise(AttributeValues& values);

// Whether a value asks for what kiln does not honour, see Attribute::refusal.
bool is_refused(const Attribute& attribute, const hcl::Value& value);
// Sets in `target` what one value says. Error{usage} for a value that cannot be, and for what kiln does not honour.
void apply_value(const Attribute& attribute, const hcl::Value& value, TargetSpec& target,
                 const AttributeFolders& folders);
// The same of all, in the order of attributes().
void apply_values(const AttributeValues& values, TargetSpec& target, const AttributeFolders& folders);
// All that a target says, in buildx's words, paths below `folder` relative to it.
AttributeValues values_of(const TargetSpec& target, const fs::path& folder);

}  // namespace kiln::bake

#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/definitions/bake/entries.hpp"
#include "builder/definitions/hcl/value.hpp"

namespace kiln::bake {

// One attribute of a target as buildx 0.38 has it: what it holds, and what happens to it where a target is merged over
// another. This table is the only list of attributes that reading, merging, --set and --print know.
struct Attribute {
  enum class Form { text, flag, texts, pairs, entries, resources };
  enum class Merge { replace, append, by_key };

  std::string_view name;
  Form form;
  Merge merge;
  EntryKind entry = EntryKind::cache;  // of entries
  // Of pairs: whether a null leaves the key to what is below. Else it is refused.
  bool allows_null_members = false;
  // What a target that does not say it has in `target.NAME.ATTRIBUTE`: null, or an empty text or list.
  bool is_never_null = false;
  // Whether `${` and `%{` in it are doubled when it is printed, since what is printed is read again.
  bool is_escaped = false;
  std::string_view set_name = {};  // the key of --set where that is another one
};

// In the order that --print shows them.
const std::vector<Attribute>& attributes();
const Attribute* find_attribute(std::string_view name);

// A target's attributes, normalised: a text is a string, texts a list(string), pairs a map(string), entries a list.
using AttributeValues = std::map<std::string, hcl::Value, std::less<>>;

// The value of an expression as the attribute keeps it; nullopt for a null. hcl::ValueError.
std::optional<hcl::Value> read_attribute(const Attribute& attribute, const hcl::Value& value);

void merge_over(AttributeValues& into, const AttributeValues& over);
// Takes repeats and empty texts away, as buildx does behind each merge.
void normalise(AttributeValues& values);

}  // namespace kiln::bake

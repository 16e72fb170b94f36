#include "builder/definitions/bake/attribute_members.hpp"

namespace kiln::bake {

namespace {

void apply_call(const Value& value, TargetSpec& target, const AttributeFolders&) {
  target.call = word_of(value, "call", {CallMethod::build, CallMethod::check, CallMethod::lint}, target);
}

bool is_disabled(const Value& policy) { return policy.members().contains("disabled"); }

}  // namespace

// How steps come to be.
std::vector<Attribute> solve_attributes() {
  using enum Attribute::Form;
  using enum Attribute::Merge;
  using T = TargetSpec;
  return {
      {.name = "cache-from",
       .place = 110,
       .form = entries,
       .merge = append,
       .entry = EntryKind::cache,
       .is_never_null = true,
       .apply = apply_entries<&T::cache_from, EntryKind::cache>,
       .value_of = entries_of<&T::cache_from, EntryKind::cache>},
      {.name = "cache-to",
       .place = 120,
       .form = entries,
       .merge = replace,
       .entry = EntryKind::cache,
       .is_never_null = true,
       .apply = apply_entries<&T::cache_to, EntryKind::cache>,
       .value_of = entries_of<&T::cache_to, EntryKind::cache>},
      {.name = "pull",
       .place = 180,
       .form = flag,
       .merge = replace,
       .definition_key = "pull",
       .apply = apply_flag<&T::pull>,
       .value_of = flag_of<&T::pull>},
      {.name = "no-cache",
       .place = 190,
       .form = flag,
       .merge = replace,
       .definition_key = "no_cache",
       .apply = apply_flag<&T::no_cache>,
       .value_of = flag_of<&T::no_cache>},
      {.name = "no-cache-filter",
       .place = 210,
       .form = texts,
       .merge = append,
       .definition_key = "no_cache_filter",
       .apply = apply_texts<&T::no_cache_stages>,
       .value_of = texts_of_target<&T::no_cache_stages>},
      {.name = "call",
       .place = 250,
       .form = text,
       .merge = replace,
       .definition_key = "call",
       .apply = apply_call,
       .value_of = word_of_target<&T::call>},
      {.name = "policy",
       .place = 280,
       .form = entries,
       .merge = append,
       .entry = EntryKind::policy,
       .is_never_null = true,
       .refusal = "it knows no source policies; pin the images by digest",
       .asks_for_nothing = is_disabled},
  };
}

}  // namespace kiln::bake

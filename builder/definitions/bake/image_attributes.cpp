#include <fmt/format.h>

#include "base/text.hpp"
#include "builder/definitions/annotations.hpp"
#include "builder/definitions/attestations.hpp"
#include "builder/definitions/bake/attribute_members.hpp"
#include "builder/definitions/profile.hpp"
#include "builder/definitions/target_words.hpp"

namespace kiln::bake {

namespace {

std::optional<Value> labels_of(const TargetSpec& target, const fs::path&) {
  std::map<std::string, std::string> labels = target.labels;
  if (target.profile) labels.merge(profile_labels(*target.profile));
  return value_of_pairs(labels);
}

void apply_annotations(const Value& value, TargetSpec& target, const AttributeFolders&) {
  target.annotations = texts_of(value);
  for (const std::string& text : target.annotations) parse_annotation(text);
}

void apply_platforms(const Value& value, TargetSpec& target, const AttributeFolders&) {
  target.platforms = parse_platforms(texts_of(value));
}

std::optional<Value> platforms_of(const TargetSpec& target, const fs::path&) {
  std::vector<std::string> platforms;
  for (const oci::Platform& platform : target.platforms) platforms.push_back(platform.str());
  return value_of_items(platforms);
}

void apply_attestations(const Value& value, TargetSpec& target, const AttributeFolders& folders) {
  apply_entries<&TargetSpec::attestations, EntryKind::attestation>(value, target, folders);
  parse_attestations(target.attestations,
                     target.name.empty() ? "attest" : fmt::format("target '{}': attest", printable(target.name)));
}

}  // namespace

// What the image says of itself and where it goes.
std::vector<Attribute> image_attributes() {
  using enum Attribute::Form;
  using enum Attribute::Merge;
  using T = TargetSpec;
  return {
      {.name = "description",
       .place = 10,
       .form = text,
       .merge = replace,
       .is_never_null = true,
       .cannot_be_set = true,
       .apply = apply_text<&T::description>,
       .value_of = text_of<&T::description>},
      {.name = "annotations",
       .place = 20,
       .form = texts,
       .merge = append,
       .set_name = "annotation",
       .is_only_added_to = true,
       .definition_key = "annotations",
       .is_input = true,
       .apply = apply_annotations,
       .value_of = texts_of_target<&T::annotations>},
      {.name = "attest",
       .place = 30,
       .form = entries,
       .merge = append,
       .entry = EntryKind::attestation,
       .is_never_null = true,
       .is_only_added_to = true,
       .definition_key = "attest",
       .apply = apply_attestations,
       .value_of = entries_of<&T::attestations, EntryKind::attestation>},
      {.name = "labels",
       .place = 90,
       .form = pairs,
       .merge = by_key,
       .allows_null_members = true,
       .set_name = "label",
       .definition_key = "labels",
       .is_input = true,
       .apply = apply_pairs<&T::labels>,
       .value_of = labels_of},
      {.name = "tags",
       .place = 100,
       .form = texts,
       .merge = replace,
       .set_name = "tag",
       .apply = apply_texts<&T::tags>,
       .value_of = texts_of_target<&T::tags>},
      {.name = "platforms",
       .place = 160,
       .form = texts,
       .merge = replace,
       .set_name = "platform",
       .is_input = true,
       .apply = apply_platforms,
       .value_of = platforms_of},
      {.name = "output",
       .place = 170,
       .form = entries,
       .merge = replace,
       .entry = EntryKind::output,
       .is_never_null = true,
       .definition_key = "output",
       .apply = apply_entries<&T::outputs, EntryKind::output>,
       .value_of = entries_of<&T::outputs, EntryKind::output>},
  };
}

}  // namespace kiln::bake

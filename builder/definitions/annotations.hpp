#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/oci/descriptor.hpp"
#include "registry/oci/platform.hpp"

namespace kiln {

// Where an annotation goes (BuildKit's docs/annotations.md).
enum class AnnotationPlace {
  manifest,
  manifest_descriptor,  // the manifest's entry in the index or, of a layout with one image, in index.json
  index,
  index_descriptor,  // the index's entry in the index.json of a layout
};

struct Annotation {
  AnnotationPlace place = AnnotationPlace::manifest;
  std::optional<oci::Platform> platform;  // of manifests: the one it is for; nullopt: all
  std::string key;
  std::string value;
};

// "[PLACE[[PLATFORM]],...:]KEY=VALUE" in its words, which are not looked into. Views of the text.
struct AnnotationWords {
  struct Place {
    std::string_view name;                     // "" is the manifest
    std::optional<std::string_view> platform;  // in brackets behind it
  };
  std::vector<Place> places;
  std::string_view key;
  std::string_view value;
};
// Error{usage} where there is no '=', and for a bracket that is not closed.
AnnotationWords split_annotation(std::string_view text);
// Error{usage} for the name of no place in the annotation `whole`.
AnnotationPlace parse_annotation_place(std::string_view name, std::string_view whole);

// buildx's --annotation: "[PLACE[[PLATFORM]],...:]KEY=VALUE"; one for each place. Error{usage}.
std::vector<Annotation> parse_annotation(std::string_view text);
// An --output's "annotation[-PLACE][[PLATFORM]].KEY"; nullopt for another option's name. Error{usage}.
std::optional<Annotation> parse_annotation_option(std::string_view name, std::string_view value);

// What goes to one place; of several with the same key the last.
oci::Annotations annotations_at(const std::vector<Annotation>& annotations, AnnotationPlace place,
                                const oci::Platform& platform = {});

}  // namespace kiln

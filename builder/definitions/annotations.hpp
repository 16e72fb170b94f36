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

// buildx's --annotation: "[PLACE[[PLATFORM]],...:]KEY=VALUE"; one for each place. Error{usage}.
std::vector<Annotation> parse_annotation(std::string_view text);
// An --output's "annotation[-PLACE][[PLATFORM]].KEY"; nullopt for another option's name. Error{usage}.
std::optional<Annotation> parse_annotation_option(std::string_view name, std::string_view value);

// What goes to one place; of several with the same key the last.
oci::Annotations annotations_at(const std::vector<Annotation>& annotations, AnnotationPlace place,
                                const oci::Platform& platform = {});

}  // namespace kiln

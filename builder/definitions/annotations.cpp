#include "builder/definitions/annotations.hpp"

#include <fmt/format.h>

#include <map>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

const std::map<std::string, AnnotationPlace, std::less<>> kPlaces = {
    {"manifest", AnnotationPlace::manifest},
    {"manifest-descriptor", AnnotationPlace::manifest_descriptor},
    {"index", AnnotationPlace::index},
    {"index-descriptor", AnnotationPlace::index_descriptor}};

// "PLACE" or "PLACE[PLATFORM]"; an empty PLACE is the manifest.
Annotation parse_place(std::string_view text, std::string_view whole) {
  Annotation annotation;
  const std::size_t bracket = text.find('[');
  const std::string_view word = text.substr(0, bracket);
  if (!word.empty()) {
    const auto place = kPlaces.find(word);
    if (place == kPlaces.end()) {
      std::vector<std::string> names;
      for (const auto& [name, value] : kPlaces) names.push_back(name);
      throw Error(Category::usage, fmt::format("annotation '{}': unknown place '{}'{}", printable(whole),
                                               printable(word), suggestion(word, names)));
    }
    annotation.place = place->second;
  }
  if (bracket == std::string_view::npos) return annotation;
  if (text.back() != ']')
    throw Error(Category::usage, fmt::format("annotation '{}': '[' is not closed", printable(whole)));
  const bool is_of_manifest =
      annotation.place == AnnotationPlace::manifest || annotation.place == AnnotationPlace::manifest_descriptor;
  if (!is_of_manifest)
    throw Error(Category::usage, fmt::format("annotation '{}': an index has no platform", printable(whole)));
  annotation.platform = oci::Platform::parse(text.substr(bracket + 1, text.size() - bracket - 2));
  return annotation;
}

}  // namespace

std::vector<Annotation> parse_annotation(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    throw Error(Category::usage, fmt::format("--annotation '{}': expected NAME=VALUE", printable(text)));
  }
  const std::string_view name = text.substr(0, equals);
  const std::size_t colon = name.find(':');
  std::vector<Annotation> annotations;
  for (const std::string_view place :
       split(colon == std::string_view::npos ? std::string_view() : name.substr(0, colon), ',')) {
    annotations.push_back(parse_place(place, text));
  }
  if (annotations.empty()) annotations.emplace_back();
  for (Annotation& annotation : annotations) {
    annotation.key = std::string(colon == std::string_view::npos ? name : name.substr(colon + 1));
    annotation.value = std::string(text.substr(equals + 1));
  }
  return annotations;
}

std::optional<Annotation> parse_annotation_option(std::string_view name, std::string_view value) {
  constexpr std::string_view kPrefix = "annotation";
  const std::size_t dot = name.find('.');
  if (!name.starts_with(kPrefix) || dot == std::string_view::npos || dot + 1 == name.size()) return std::nullopt;
  std::string_view place = name.substr(kPrefix.size(), dot - kPrefix.size());
  if (place.starts_with('-')) {
    place.remove_prefix(1);
  } else if (!place.empty() && !place.starts_with('[')) {
    return std::nullopt;
  }
  Annotation annotation = parse_place(place, name);
  annotation.key = std::string(name.substr(dot + 1));
  annotation.value = std::string(value);
  return annotation;
}

oci::Annotations annotations_at(const std::vector<Annotation>& annotations, AnnotationPlace place,
                                const oci::Platform& platform) {
  oci::Annotations result;
  for (const Annotation& annotation : annotations) {
    if (annotation.place != place || (annotation.platform && annotation.platform->str() != platform.str())) continue;
    result[annotation.key] = annotation.value;
  }
  return result;
}

}  // namespace kiln

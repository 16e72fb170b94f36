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

constexpr std::string_view kExpected = "expected NAME=VALUE";

Error annotation_error(std::string_view text, std::string_view problem) {
  return Error(Category::usage, fmt::format("annotation '{}': {}", printable(text), problem));
}

// "PLACE" or "PLACE[PLATFORM]" of the annotation `whole`.
AnnotationWords::Place split_place(std::string_view text, std::string_view whole) {
  const std::size_t bracket = text.find('[');
  if (bracket == std::string_view::npos) return {text, std::nullopt};
  if (text.back() != ']') throw annotation_error(whole, "'[' is not closed");
  return {text.substr(0, bracket), text.substr(bracket + 1, text.size() - bracket - 2)};
}

Annotation annotation_at(const AnnotationWords::Place& words, std::string_view whole) {
  Annotation annotation;
  annotation.place = parse_annotation_place(words.name, whole);
  if (!words.platform) return annotation;
  const bool is_of_manifest =
      annotation.place == AnnotationPlace::manifest || annotation.place == AnnotationPlace::manifest_descriptor;
  if (!is_of_manifest) throw annotation_error(whole, "an index has no platform");
  annotation.platform = oci::Platform::parse(*words.platform);
  return annotation;
}

}  // namespace

AnnotationPlace parse_annotation_place(std::string_view name, std::string_view whole) {
  if (name.empty()) return AnnotationPlace::manifest;
  if (const auto place = kPlaces.find(name); place != kPlaces.end()) return place->second;
  std::vector<std::string> names;
  for (const auto& [known, value] : kPlaces) names.push_back(known);
  throw annotation_error(whole, fmt::format("unknown place '{}'{}", printable(name), suggestion(name, names)));
}

AnnotationWords split_annotation(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) throw annotation_error(text, kExpected);
  AnnotationWords words;
  words.key = text.substr(0, equals);
  words.value = text.substr(equals + 1);
  const std::size_t colon = words.key.find(':');
  if (colon == std::string_view::npos) return words;
  for (const std::string_view place : split(words.key.substr(0, colon), ','))
    words.places.push_back(split_place(place, text));
  words.key.remove_prefix(colon + 1);
  return words;
}

std::vector<Annotation> parse_annotation(std::string_view text) {
  const AnnotationWords words = split_annotation(text);
  if (text.starts_with('=')) throw annotation_error(text, kExpected);
  std::vector<Annotation> annotations;
  for (const AnnotationWords::Place& place : words.places) annotations.push_back(annotation_at(place, text));
  if (annotations.empty()) annotations.emplace_back();
  for (Annotation& annotation : annotations) {
    annotation.key = words.key;
    annotation.value = words.value;
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
  Annotation annotation = annotation_at(split_place(place, name), name);
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

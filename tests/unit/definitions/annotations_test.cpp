#include "builder/definitions/annotations.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

TEST_CASE("an annotation without a place is the manifest's") {
  const auto found = parse_annotation("org.example.key=a=b:c");
  REQUIRE(found.size() == 1);
  CHECK(found[0].place == AnnotationPlace::manifest);
  CHECK(found[0].key == "org.example.key");
  CHECK(found[0].value == "a=b:c");
  CHECK_FALSE(found[0].platform);
}

TEST_CASE("an annotation goes to each place that is named, of one platform where one is") {
  const auto found = parse_annotation("index,manifest[linux/arm64]:key=value");
  REQUIRE(found.size() == 2);
  CHECK(found[0].place == AnnotationPlace::index);
  CHECK(found[1].platform->str() == "linux/arm64");
  CHECK(annotations_at(found, AnnotationPlace::index).at("key") == "value");
  CHECK(annotations_at(found, AnnotationPlace::manifest, oci::Platform::parse("linux/amd64")).empty());
  CHECK(annotations_at(found, AnnotationPlace::manifest, oci::Platform::parse("linux/arm64")).size() == 1);
}

TEST_CASE("annotations without a value, at unknown places and of an index's platform are refused") {
  CHECK(error_of([&] { parse_annotation("key"); }) == "usage: annotation 'key': expected NAME=VALUE");
  CHECK(error_of([&] { parse_annotation("=value"); }) == "usage: annotation '=value': expected NAME=VALUE");
  CHECK(error_of([&] { parse_annotation("indez:key=value"); }) ==
        "usage: annotation 'indez:key=value': unknown place 'indez'; did you mean 'index'?");
  CHECK(error_of([&] { parse_annotation("index[linux/amd64]:key=value"); }) ==
        "usage: annotation 'index[linux/amd64]:key=value': an index has no platform");
  CHECK(error_of([&] { parse_annotation("manifest[linux/amd64:key=value"); }) ==
        "usage: annotation 'manifest[linux/amd64:key=value': '[' is not closed");
}

TEST_CASE("an output's options name annotations with their places") {
  CHECK(parse_annotation_option("annotation.a.b", "c")->key == "a.b");
  const auto found = parse_annotation_option("annotation-manifest-descriptor[linux/amd64].a", "c");
  CHECK(found->place == AnnotationPlace::manifest_descriptor);
  CHECK(found->platform->str() == "linux/amd64");
  CHECK_FALSE(parse_annotation_option("annotations.a", "c"));
  CHECK_FALSE(parse_annotation_option("annotation.", "c"));
  CHECK_FALSE(parse_annotation_option("name", "c"));
}

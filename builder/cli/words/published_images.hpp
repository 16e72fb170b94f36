#pragma once

#include <string>
#include <vector>

#include "builder/cli/words/arguments.hpp"
#include "builder/definitions/fleet.hpp"
#include "builder/release/create_release.hpp"

namespace kiln::cli {

// Where the records of a fleet's releases are: releases/ beside the folder of fleet.json, or beside the bake file.
fs::path releases_folder(const Fleet& fleet);

// How commands that work with what a fleet has published name the fleet.
struct PublishedWords {
  std::optional<std::string> file;    // -f
  std::string registry;               // --registry; empty: the fleet's
  std::vector<std::string> profiles;  // --profile
};

void add_published_words(Arguments& command, PublishedWords& words);

// The fleet's images as its definitions say they are published, and where its releases are.
struct PublishedImages {
  std::string registry;  // registry and namespace
  fs::path releases;     // releases_folder() of the fleet
  std::vector<ReleaseCandidate> images;
};

// `targets` as bake takes them (none: the group 'default'), each image once for each repository it is published to, by
// the tag `tag`; empty: `latest` where it is published under that, else its only tag. Error{usage} where that leaves a
// choice, where nothing is published, and where images of a bake file are in several namespaces and --registry does not
// say which.
PublishedImages published_images(const PublishedWords& words, const std::vector<std::string>& targets,
                                 const std::string& tag);

// An image of the fleet, and where it is published: at the first of its repositories.
struct PublishedImage {
  std::string image;
  std::string profile;  // empty for none
  oci::Reference reference;
};
// All targets of the fleet that are published, under the tag. What is broken of the fleet is left out with a warning.
std::vector<PublishedImage> all_published_images(const PublishedWords& words, const std::string& tag);

// The registry and namespace alone: --registry, or the fleet's. No fleet is read where --registry is given.
std::string registry_of_releases(const PublishedWords& words);

}  // namespace kiln::cli

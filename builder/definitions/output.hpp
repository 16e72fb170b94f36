#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/definitions/annotations.hpp"
#include "builder/layer/compression.hpp"

namespace kiln {

enum class OutputType {
  image,       // named in the store's index.json and, with push, in registries
  oci,         // an OCI image layout: a tar archive, or a folder with tar=false
  docker,      // an archive that `docker load` reads; without a destination, loaded
  local,       // the image's files in a folder
  tar,         // the image's files as a tar archive
  cache_only,  // nothing: the build's steps are in the cache
};

// Whether it is an image, in whatever form, rather than files alone or nothing.
bool makes_image(OutputType type);

// One --output of a build, in buildx's words: "type=oci,dest=out.tar,compression=zstd".
struct Output {
  OutputType type = OutputType::image;
  std::string destination;             // "-": standard output; empty for image
  bool as_tar = true;                  // oci and docker: an archive rather than a folder
  std::vector<std::string> names;      // image: further names; oci and docker: annotated names
  bool push = false;                   // image
  bool push_by_digest = false;         // image: push it under no tag
  bool store = true;                   // image: name it in the store
  bool load = false;                   // docker: hand it to the docker or podman of this machine
  std::optional<bool> platform_split;  // local and tar: a folder for each platform; nullopt: where there are several
  std::vector<Annotation> annotations;
  std::optional<Compression> compression;
  bool force_compression = false;  // also layers of the base are written anew
  bool oci_media_types = true;
  bool rewrite_timestamp = false;
};

// A bare path means type=local (buildx) or, for "-", type=tar. Error{usage} names the option and the nearest real one.
Output parse_output(std::string_view text);

}  // namespace kiln

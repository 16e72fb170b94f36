#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/layer/compression.hpp"

namespace kiln {

enum class OutputType {
  image,   // named in the store's index.json and, with push, in registries
  oci,     // an OCI image layout: a tar archive, or a folder with tar=false
  docker,  // an archive that `docker load` reads
  local,   // the image's files in a folder
  tar,     // the image's files as a tar archive
};

// One --output of a build, in buildx's words: "type=oci,dest=out.tar,compression=zstd".
struct Output {
  OutputType type = OutputType::image;
  std::string destination;          // "-": standard output; empty for image
  bool as_tar = true;               // oci and docker: an archive rather than a folder
  std::vector<std::string> names;   // image: further names; oci and docker: annotated names
  bool push = false;                // image
  bool store = true;                // image: name it in the store
  std::optional<Compression> compression;
  bool force_compression = false;   // also layers of the base are written anew
  bool oci_media_types = true;
  bool rewrite_timestamp = false;
};

// A bare path means type=local (buildx) or, for "-", type=tar. Error{usage} names the option and the nearest real one.
Output parse_output(std::string_view text);

}  // namespace kiln

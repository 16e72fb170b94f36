#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/cli/build_session.hpp"
#include "builder/solve/output.hpp"

namespace kiln::cli {

// Error{usage} for outputs that cannot be written, before anything is built: a push without a name, several platforms
// in a format that holds one, annotations with nowhere to go, an archive for a terminal.
void check_outputs(const std::vector<Output>& outputs, const std::vector<std::string>& names, std::size_t platforms);

// Whether writing it reads every layer of the image.
bool writes_layers(const Output& output, const std::vector<std::string>& names);

// The one thing to publish of a build: the image's manifest or, for several platforms, an index of theirs that is put
// into the store.
oci::Descriptor root_of(BuildSession& session, const std::vector<BuiltImage>& images, const Output& output);

// Writes what was built, one image for each platform, as one --output says. `mtime`: the time of files that are written
// as files; nullopt: each keeps its own.
void write_output(BuildSession& session, std::vector<BuiltImage>& images, const Output& output,
                  const std::vector<std::string>& names, std::optional<UnixSeconds> mtime);

// --load: hands the image to the docker of this machine, or to its podman where no docker daemon answers. Error{usage}
// for several platforms, Error{machine} where there is neither or it refuses.
void load_into_engine(BuildSession& session, const std::vector<BuiltImage>& images,
                      const std::vector<std::string>& names);

}  // namespace kiln::cli

#pragma once

#include <string>
#include <vector>

#include "builder/solve/image_assembly.hpp"
#include "builder/solve/output.hpp"

namespace kiln {

// Writes an assembled image somewhere outside the store. Everything is written under a temporary name first; what was there
// before stays whole until the new one is.

// type=oci and type=docker. `names` are annotated (oci) or become RepoTags (docker).
void export_archive(LayerAccess& access, const AssembledImage& image, const Output& output, const std::vector<std::string>& names,
                    int stdout_fd);

// type=local (a folder) and type=tar: the image's merged files.
void export_files(LayerAccess& access, const ImageLayers& layers, const Output& output, int stdout_fd);

}  // namespace kiln

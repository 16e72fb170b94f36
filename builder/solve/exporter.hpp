#pragma once

#include <string>
#include <vector>

#include "builder/solve/image_assembly.hpp"
#include "builder/solve/output.hpp"

namespace kiln {

// Writes an assembled image somewhere outside the store. Everything is written under a temporary name first; what was there
// before stays whole until the new one is.

// What is written together: one image, or an index of images for several platforms. Borrows the images.
struct ExportedImages {
  oci::Descriptor root;  // the image's manifest, or the index, which is in the store
  std::vector<const AssembledImage*> images;
};

// type=oci and type=docker (one image). `names` are annotated (oci) or become RepoTags (docker).
void export_archive(LayerAccess& access, const ExportedImages& exported, const Output& output, const std::vector<std::string>& names,
                    int stdout_fd);

// type=local (a folder) and type=tar: the image's merged files.
void export_files(LayerAccess& access, const ImageLayers& layers, const Output& output, int stdout_fd);

}  // namespace kiln

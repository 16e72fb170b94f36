#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "builder/definitions/output.hpp"
#include "builder/solve/image_assembly.hpp"

namespace kiln {

// Writes an assembled image somewhere outside the store. Everything is written under a temporary name first; what was
// there before stays whole until the new one is.

// What is written together: one image, or an index of images for several platforms. Borrows the images.
struct ExportedImages {
  oci::Descriptor root;  // the image's manifest, or the index, which is in the store
  std::vector<const AssembledImage*> images;
  std::vector<oci::Descriptor> beside = {};  // what else the index leads to, manifests and blobs, in the store
};

// type=oci and type=docker (one image). `names` are annotated (oci) or become RepoTags (docker).
void export_archive(LayerAccess& access, const ExportedImages& exported, const Output& output,
                    const std::vector<std::string>& names, int stdout_fd);

// The files of one image below a folder of an output ("": below its root). Borrows the layers.
struct ExportedFiles {
  const ImageLayers* layers = nullptr;
  std::string folder;
};

// What a folder has not of the images' files.
struct ExportedLess {
  std::uint64_t devices = 0;
  std::uint64_t set_ids = 0;  // files without their set-user-ID and set-group-ID bits
};

// type=local (a folder, where files belong to who runs the program and nothing else is touched) and type=tar: the
// merged files of images. Files of one content and several names stay one. `mtime`: the time of all of them, else each
// keeps its own. In a folder there are no devices, and no program runs with the rights of who asked for it.
// Error{build} for a path that several images have.
ExportedLess export_files(LayerAccess& access, const std::vector<ExportedFiles>& images, const Output& output,
                          std::optional<UnixSeconds> mtime, int stdout_fd);

}  // namespace kiln

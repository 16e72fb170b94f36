#pragma once

#include <string>

#include "builder/cli/images/opened_image.hpp"
#include "builder/packages/image_packages.hpp"

namespace kiln::cli {

// The packages of an opened image. Layers that have databases of packages are fetched where they are not here.
ImagePackages read_packages(RegistrySession& session, ThreadPool& pool, const OpenedImage& image,
                            const CancelToken& cancel, FileList files = FileList::none);

// Says on standard error what was left out.
void warn_of_notes(const std::string& image, const ImagePackages& packages);

}  // namespace kiln::cli

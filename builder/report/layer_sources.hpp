#pragma once

#include <functional>
#include <memory>

#include "builder/layer/file_index.hpp"
#include "builder/packages/diff_packages.hpp"
#include "builder/report/build_report.hpp"

namespace kiln {

// The file index of a layer; nullptr where it is not here.
using FindFileIndex = std::function<std::shared_ptr<const FileIndex>(const oci::Digest& diff_id)>;
// The packages of an image's layer, by its number, with the owner of each entry of its index; nullptr where that is not
// known.
using FindLayerPackages =
    std::function<std::shared_ptr<const DiffPackages>(const ReportImage& image, std::size_t layer)>;

// What is asked about the layers of a report; either may be empty.
struct LayerSources {
  FindFileIndex index_of;
  FindLayerPackages packages_of;
};

}  // namespace kiln

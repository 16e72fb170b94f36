#pragma once

#include <functional>
#include <memory>
#include <string>

#include "builder/layer/file_index.hpp"
#include "builder/report/report_document.hpp"

namespace kiln {

// The file index of a layer; nullptr where it is not here.
using FindFileIndex = std::function<std::shared_ptr<const FileIndex>(const oci::Digest& diff_id)>;

// The part of the HTML page that goes from layers down to their files, with a filter: of each layer that takes a
// hundredth of the stored bytes or more, and has an index, the largest files. It shows itself by the page's script, and
// the layer's shape in the treemap opens it. Empty where there is no such layer.
std::string html_files(const ReportDocument& document, const FindFileIndex& index_of);

}  // namespace kiln

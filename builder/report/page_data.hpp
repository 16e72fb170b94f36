#pragma once

#include <string>
#include <string_view>

#include "builder/report/layer_sources.hpp"
#include "builder/report/report_document.hpp"

namespace kiln {

// What the page's script draws, as JSON. Lists of the same length are columns of one table, since a hundred thousand
// files as objects would be ten times as many bytes:
//
//   data     = {"images": [image], "layers": [layer], "packages": package columns, "files": [files or null],
//               "steps": step columns}
//   image    = {"name", "groups": [{"profiles": [..], "digests": [..], "layers": [number, from the bottom], "bytes",
//               "unpacked"}]}
//   layer    = {"bytes", "unpacked", "place", "text", "use": "own" | "profiles" | "shared", "digest"}   most bytes
//   first package columns = {"ecosystem": [..], "name": [..], "version": [..]} files    = of the layer of that number,
//   in the order of its index: {"depth", "rest", "size", "package",
//               "smaller": [[package, files, bytes]]}
//     depth    how many leading folders of the path are those of the path before; rest is what follows them
//     rest     joined by line feeds, which no printable path has
//     package  1 + the number of its package; 0 for none
//     smaller  files without a name of their own here
//   step columns = {"names": [target], "of": [[number of a name]], "place", "text", "outcome": 0 hit, 1 built, 2
//   failed,
//               "why", "started", "ended": milliseconds from the start of the run}
//
// At most kMostFiles files, the largest of all layers, have their names.
struct PageDataOptions {
  std::size_t most_files = 150'000;
};
std::string page_data_json(const ReportDocument& document, const LayerSources& sources,
                           const PageDataOptions& options = {});

// The same bytes in a zlib stream (RFC 1950), in base64.
std::string deflated_base64(std::string_view bytes);

}  // namespace kiln

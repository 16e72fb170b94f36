#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "builder/report/build_report.hpp"
#include "builder/report/contents.hpp"

namespace kiln {

// Recorded baselines: what an image weighed before kiln, measured once (`kiln baseline` builds a legacy Dockerfile
// or reads a reference) and kept beside the definitions as images/baselines.json, so that a report can state the
// reduction without building the before-image again. The file belongs into version control. Its grammar, version 1
// (members sorted by name, two spaces of indentation, so that a diff shows what moved):
//
//   {"schema_version": 1,
//    "baselines": {"IMAGE": {
//      "kind": "dockerfile" | "reference" | "recorded",
//      "reference": "memory-fusion-hub/Dockerfile.legacy",   relative to the file, or an image reference
//      "compressed_bytes": N, "unpacked_bytes": N,           sums over the layers
//      "date": "2025-01-31T12:00:00Z",
//      "kiln_version": "0.1.0",                              that measured it
//      "image_digest": "sha256:...",                         the manifest that was measured; may be missing
//      "source_digest": "sha256:...",                        of the Dockerfile's bytes; may be missing
//      "layers": [{"digest", "bytes", "unpacked_bytes",      "layers" may be missing, and so may "contents"
//                  "contents": {"base", "build_tools", "caches",
//                               "duplicates", "packages", "repeated"}}]
//    }}}
inline constexpr int kBaselinesSchemaVersion = 1;
inline constexpr const char* kBaselinesFileName = "baselines.json";

struct BaselineLayer {
  oci::Digest digest;
  std::uint64_t bytes = 0;
  std::uint64_t unpacked_bytes = 0;
  std::optional<ContentBytes> contents = std::nullopt;
};

struct Baseline {
  BaselineKind kind = BaselineKind::recorded;
  std::string reference;
  std::uint64_t compressed_bytes = 0;
  std::uint64_t unpacked_bytes = 0;
  std::string date;
  std::string kiln_version;
  oci::Digest image_digest;
  oci::Digest source_digest;
  std::vector<BaselineLayer> layers;

  // Its part of a report.
  ReportBaseline summary() const;
};

using Baselines = std::map<std::string, Baseline>;

// Error{usage} "FILE:LINE: ..." for anything that the grammar does not allow, unknown members included.
Baselines parse_baselines(std::string_view text, const std::string& file_name);
std::string to_json_text(const Baselines& baselines);

// Empty where there is no such file.
Baselines read_baselines(const fs::path& file);
// Sets one image's entry and keeps the others; the file is replaced at once or not at all.
void record_baseline(const fs::path& file, const std::string& image, const Baseline& baseline);

}  // namespace kiln

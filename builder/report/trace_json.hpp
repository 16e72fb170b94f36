#pragma once

#include <string>
#include <string_view>

#include "builder/report/build_trace.hpp"

namespace kiln {

// A trace as OTLP/JSON, one line: an ExportTraceServiceRequest of opentelemetry-proto by its JSON mapping
// (opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): IDs in hexadecimal, 64-bit integers as strings, enums as
// numbers, members in lowerCamelCase. What collectors take at /v1/traces, and read from files.
std::string otlp_json(const BuildTrace& trace, std::string_view kiln_version);

}  // namespace kiln

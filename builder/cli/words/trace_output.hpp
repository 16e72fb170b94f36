#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "builder/build/build_request.hpp"
#include "builder/report/build_trace.hpp"

namespace kiln::cli {

// Where the trace of a build goes: to FILE or URL of --trace and, where OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or
// OTEL_EXPORTER_OTLP_ENDPOINT says so, to that collector. An endpoint takes OTLP/JSON by POST, with the headers of
// OTEL_EXPORTER_OTLP_HEADERS. OTEL_SDK_DISABLED and OTEL_TRACES_EXPORTER=none switch that off, but for --trace. A trace
// that cannot be sent is a warning; a file that cannot be written is an error.
class TraceOutput {
 public:
  // `command`: "kiln bake". Error{usage} for a file that cannot be written or a URL that is none.
  TraceOutput(const std::optional<std::string>& word, std::string command, bool is_offline);

  // The display of `surroundings` tells the trace from now on.
  void listen(BuildSurroundings& surroundings);
  // To be called once, when the build has ended or failed.
  void write(const std::optional<std::string>& error);

 private:
  struct Endpoint {
    std::string url;
    bool is_named = false;  // by --trace
  };
  bool is_wanted() const { return file_ || !endpoints_.empty(); }
  void send(const Endpoint& endpoint, const std::string& json) const;

  std::optional<std::string> file_;
  std::vector<Endpoint> endpoints_;
  std::shared_ptr<BuildTrace> trace_;
};

// Builds by `build` and writes the trace whatever becomes of it.
template <class Build>
auto traced(TraceOutput& output, Build&& build) {
  try {
    auto result = build();
    output.write(std::nullopt);
    return result;
  } catch (const std::exception& error) {
    output.write(error.what());
    throw;
  }
}

}  // namespace kiln::cli

#include "builder/cli/words/trace_output.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/output_file.hpp"
#include "base/percent.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/version.hpp"
#include "builder/cli/words/output_files.hpp"
#include "builder/report/trace_json.hpp"
#include "registry/remote/remote_session.hpp"
#include "registry/remote/url.hpp"

namespace kiln::cli {

namespace {

constexpr const char* kTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
constexpr const char* kEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
constexpr int kTimeoutMs = 10'000;

std::string variable(const char* name) { return environment_variable(name).value_or(""); }

// A collector's URL without a path means the path that the specification has for traces.
std::string with_traces_path(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url + "/v1/traces";
}

std::string url_of_word(const std::string& word) {
  const Url url = Url::parse(word);
  return url.path == "/" && url.query.empty() ? with_traces_path(word) : word;
}

// "name=value,name=value", the values percent-encoded.
void add_headers(HttpHeaders& headers, const std::string& text) {
  for (const std::string_view pair : split(text, ',')) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    headers.add(std::string(trim(pair.substr(0, equals))), percent_decoded(trim(pair.substr(equals + 1))));
  }
}

}  // namespace

TraceOutput::TraceOutput(const std::optional<std::string>& word, std::string command, bool is_offline) {
  if (word && is_http_url(*word)) {
    if (is_offline) throw Error(Category::usage, "--offline: nothing is sent, so --trace takes a file here and no URL");
    endpoints_.push_back({url_of_word(*word), true});
  } else {
    refuse_unwritable(word, "--trace");
    file_ = word;
  }
  const bool is_disabled =
      to_lower(variable("OTEL_SDK_DISABLED")) == "true" || variable("OTEL_TRACES_EXPORTER") == "none";
  if (!is_offline && !is_disabled) {
    const std::string traces = variable(kTracesEndpoint), general = variable(kEndpoint);
    if (!traces.empty()) {
      endpoints_.push_back({traces, false});
    } else if (!general.empty()) {
      endpoints_.push_back({with_traces_path(general), false});
    }
  }
  if (is_wanted())
    trace_ = std::make_shared<BuildTrace>(std::move(command), parse_traceparent(variable("TRACEPARENT")));
}

void TraceOutput::listen(BuildSurroundings& surroundings) {
  if (!is_wanted()) return;
  surroundings.open_progress = [open = surroundings.open_progress, trace = trace_] {
    return std::make_unique<TraceRecorder>(open(), trace);
  };
}

void TraceOutput::write(const std::optional<std::string>& error) {
  if (!is_wanted()) return;
  trace_->finish(error);
  const std::string json = otlp_json(*trace_, kVersion);
  if (file_) {
    try {
      write_output_file(*file_, json);
    } catch (const Error& failed) {
      if (!error) throw;
      StderrLog().warn(failed.message());
    }
  }
  for (const Endpoint& endpoint : endpoints_) send(endpoint, json);
}

// Not with the build's own token: a build that was stopped has a trace too.
void TraceOutput::send(const Endpoint& endpoint, const std::string& json) const {
  StderrLog log;
  try {
    RemoteSettings settings = RemoteSettings::from_environment();
    settings.timeout_ms = kTimeoutMs;
    const auto session = RemoteSession::open(std::move(settings), log, CancelToken());
    HttpRequest request;
    request.method = HttpMethod::post;
    request.url = Url::parse(endpoint.url);
    request.headers.add("Content-Type", "application/json");
    const std::string own = variable("OTEL_EXPORTER_OTLP_TRACES_HEADERS");
    add_headers(request.headers, own.empty() ? variable("OTEL_EXPORTER_OTLP_HEADERS") : own);
    request.body = memory_body(json);
    const HttpResponse response = session->http().send(request, session->cancel());
    if (response.status / 100 != 2) {
      log.warn(
          fmt::format("the trace could not be sent to '{}': it answered {}", request.url.redacted(), response.status));
    }
  } catch (const Error& error) {
    log.warn(fmt::format("the trace could not be sent: {}", error.message()));
  }
}

}  // namespace kiln::cli

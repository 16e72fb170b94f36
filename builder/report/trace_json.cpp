#include "builder/report/trace_json.hpp"

#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace kiln {

namespace {

using ordered = nlohmann::ordered_json;

// The numbers of the specification's enums.
constexpr int kSpanKindInternal = 1;
constexpr int kStatusCodeError = 2;

ordered value_of(const TraceSpan::Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return {{"stringValue", *text}};
  if (const auto* number = std::get_if<std::int64_t>(&value)) return {{"intValue", std::to_string(*number)}};
  if (const auto* real = std::get_if<double>(&value)) return {{"doubleValue", *real}};
  return {{"boolValue", std::get<bool>(value)}};
}

ordered attribute(const std::string& name, const TraceSpan::Value& value) {
  return {{"key", name}, {"value", value_of(value)}};
}

ordered span_of(const TraceSpan& span, const std::string& trace_id) {
  ordered json = {{"traceId", trace_id}, {"spanId", span.id}};
  if (!span.parent_id.empty()) json["parentSpanId"] = span.parent_id;
  json["name"] = span.name;
  json["kind"] = kSpanKindInternal;
  json["startTimeUnixNano"] = std::to_string(span.start);
  json["endTimeUnixNano"] = std::to_string(span.end);
  json["attributes"] = ordered::array();
  for (const auto& [name, value] : span.attributes) json["attributes"].push_back(attribute(name, value));
  json["status"] = ordered::object();
  if (span.error) json["status"] = {{"message", *span.error}, {"code", kStatusCodeError}};
  return json;
}

}  // namespace

std::string otlp_json(const BuildTrace& trace, std::string_view kiln_version) {
  const std::string version(kiln_version);
  ordered spans = ordered::array();
  for (const TraceSpan& span : trace.spans()) spans.push_back(span_of(span, trace.trace_id()));
  const ordered resource = {{"attributes", ordered::array({attribute("service.name", std::string("kiln")),
                                                           attribute("service.version", version)})}};
  const ordered scope_spans = {{"scope", {{"name", "kiln"}, {"version", version}}}, {"spans", std::move(spans)}};
  const ordered request = {{"resourceSpans", ordered::array({ordered{{"resource", resource},
                                                                     {"scopeSpans", ordered::array({scope_spans})}}})}};
  return json_text(request) + "\n";
}

}  // namespace kiln

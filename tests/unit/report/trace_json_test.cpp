#include "builder/report/trace_json.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "sample_report.hpp"

using namespace kiln;
using nlohmann::json;

namespace {

bool is_hex(const std::string& text, std::size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string::npos &&
         text.find_first_not_of('0') != std::string::npos;
}

}  // namespace

TEST_CASE("a trace is written by the specification's JSON mapping") {
  BuildTrace trace("kiln bake", std::nullopt);
  trace.step_started(test::view(1, "hub", "Dockerfile", 3, "RUN caf\xc3\xa9 \xff"));
  trace.step_finished(1, test::result(StepOutcome::built, "k1", 1, 5000000000, ""));
  trace.step_started(test::view(2, "hub", "Dockerfile", 4, "RUN false"));
  trace.step_finished(2, test::result(StepOutcome::failed, "k2", 1, 0, "no"));
  trace.finish("no");
  const std::string text = otlp_json(trace, "1.2.3");
  CHECK(text.ends_with("}\n"));
  const json request = json::parse(text);
  REQUIRE(request.size() == 1);
  const json& resource_spans = request.at("resourceSpans").at(0);
  CHECK(resource_spans.at("resource").at("attributes").at(0) ==
        json{{"key", "service.name"}, {"value", {{"stringValue", "kiln"}}}});
  const json& scope_spans = resource_spans.at("scopeSpans").at(0);
  CHECK(scope_spans.at("scope") == json{{"name", "kiln"}, {"version", "1.2.3"}});
  std::set<std::string> ids;
  for (const json& span : scope_spans.at("spans")) {
    CHECK(is_hex(span.at("traceId"), 32));
    CHECK(is_hex(span.at("spanId"), 16));
    CHECK(ids.insert(span.at("spanId")).second);
    if (span.contains("parentSpanId")) CHECK(ids.count(span.at("parentSpanId")) == 1);
    CHECK(span.at("kind") == 1);
    CHECK(span.at("startTimeUnixNano").is_string());
    CHECK(std::stoull(span.at("startTimeUnixNano").get<std::string>()) <=
          std::stoull(span.at("endTimeUnixNano").get<std::string>()));
    for (const json& attribute : span.at("attributes")) {
      CHECK(attribute.at("value").size() == 1);
      if (attribute.at("value").contains("intValue")) CHECK(attribute.at("value").at("intValue").is_string());
      if (attribute.at("key") == "kiln.layer.bytes" && span.at("name") != "RUN false")
        CHECK(attribute.at("value").at("intValue") == "5000000000");
    }
  }
  CHECK(ids.size() == 4);
  CHECK(scope_spans.at("spans").at(0).at("status") == json{{"message", "no"}, {"code", 2}});
  CHECK(scope_spans.at("spans").at(2).at("status") == json::object());
}

#include "builder/dockerfile/check_output.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "builder/dockerfile/excerpt.hpp"

namespace kiln::dockerfile {
namespace {

constexpr const char* kSarifSchema = "https://json.schemastore.org/sarif-2.1.0.json";
constexpr const char* kErrorRule = "DockerfileError";

const char* to_string(RuleOrigin origin) { return origin == RuleOrigin::buildkit ? "buildkit" : "kiln"; }

nlohmann::json sarif_rule(std::string_view id, std::string_view description) {
  return {{"id", id}, {"shortDescription", {{"text", description}}}};
}

nlohmann::json sarif_result(std::string_view rule, const char* level, std::string_view message,
                            std::string_view file_name, LineRange lines) {
  const nlohmann::json location = {{"artifactLocation", {{"uri", printable(file_name)}}},
                                   {"region", {{"startLine", lines.first}, {"endLine", lines.last}}}};
  return {{"ruleId", rule},
          {"level", level},
          {"message", {{"text", printable(message)}}},
          {"locations", nlohmann::json::array({{{"physicalLocation", location}}})}};
}

}  // namespace

std::string check_text(const CheckReport& report, std::string_view text, std::string_view file_name) {
  std::string out;
  for (const Finding& finding : report.findings) {
    const Rule& rule = *find_rule(finding.rule);
    out += fmt::format("{}: {} ({})\n{}\n{}\n\n",
                       report.fails && rule.origin == RuleOrigin::buildkit ? "error" : "warning", rule.name,
                       rule.page, printable(finding.message), excerpt(text, file_name, finding.lines));
  }
  if (report.error) out += fmt::format("error: {}\n{}\n", report.error->message(), report.error->detail());
  return out;
}

nlohmann::json check_json(const CheckReport& report, std::string_view file_name) {
  nlohmann::json findings = nlohmann::json::array();
  for (const Finding& finding : report.findings) {
    const Rule& rule = *find_rule(finding.rule);
    findings.push_back({{"rule", rule.name},
                        {"origin", to_string(rule.origin)},
                        {"description", rule.description},
                        {"page", rule.page},
                        {"message", printable(finding.message)},
                        {"start_line", finding.lines.first},
                        {"end_line", finding.lines.last}});
  }
  nlohmann::json out = {
      {"file", printable(file_name)}, {"fails", report.fails}, {"findings", std::move(findings)}};
  out["error"] = report.error ? nlohmann::json(report.error->message()) : nlohmann::json();
  return out;
}

nlohmann::json check_sarif(const CheckReport& report, std::string_view file_name) {
  nlohmann::json known = nlohmann::json::array();
  for (const Rule& rule : rules()) known.push_back(sarif_rule(rule.name, rule.description));
  known.push_back(sarif_rule(kErrorRule, "The Dockerfile does not build"));
  nlohmann::json results = nlohmann::json::array();
  for (const Finding& finding : report.findings) {
    const bool fails = report.fails && find_rule(finding.rule)->origin == RuleOrigin::buildkit;
    results.push_back(
        sarif_result(finding.rule, fails ? "error" : "warning", finding.message, file_name, finding.lines));
  }
  if (report.error) {
    results.push_back(
        sarif_result(kErrorRule, "error", report.error->message(), file_name, report.error_lines));
  }
  const nlohmann::json driver = {{"name", "kiln"}, {"rules", std::move(known)}};
  const nlohmann::json run = {{"tool", {{"driver", driver}}}, {"results", std::move(results)}};
  return {{"$schema", kSarifSchema}, {"version", "2.1.0"}, {"runs", nlohmann::json::array({run})}};
}

}  // namespace kiln::dockerfile

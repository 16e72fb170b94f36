#include "builder/dockerfile/check_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/percent.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/excerpt.hpp"

namespace kiln::dockerfile {
namespace {

constexpr const char* kSarifSchema = "https://json.schemastore.org/sarif-2.1.0.json";
constexpr const char* kErrorRule = "DockerfileError";

const char* to_string(RuleOrigin origin) { return origin == RuleOrigin::buildkit ? "buildkit" : "kiln"; }

// SARIF 2.1.0 (OASIS), 3.49: what a viewer shows beside a rule is its `help`.
nlohmann::json sarif_rule(std::string_view id, std::string_view description, std::string_view page) {
  nlohmann::json rule = {{"id", id}, {"name", id}, {"shortDescription", {{"text", description}}}};
  if (!page.empty()) {
    rule["help"] = {{"text", fmt::format("How to fix it: {} of kiln", page)}};
    rule["properties"] = {{"page", page}};
  }
  return rule;
}

nlohmann::json sarif_result(std::string_view rule, std::size_t rule_number, const char* level, std::string_view message,
                            std::string_view file_name, LineRange lines) {
  const auto first = std::max(lines.first, decltype(lines.first){1});  // a file without instructions has no line
  const nlohmann::json location = {{"artifactLocation", {{"uri", percent_encoded(file_name, "/")}}},
                                   {"region", {{"startLine", first}, {"endLine", std::max(first, lines.last)}}}};
  return {{"ruleId", rule},
          {"ruleIndex", rule_number},
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
                       report.fails && rule.origin == RuleOrigin::buildkit ? "error" : "warning", rule.name, rule.page,
                       printable(finding.message), excerpt(text, file_name, finding.lines));
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
  nlohmann::json out = {{"file", printable(file_name)}, {"fails", report.fails}, {"findings", std::move(findings)}};
  out["error"] = report.error ? nlohmann::json(report.error->message()) : nlohmann::json();
  return out;
}

nlohmann::json check_sarif(const CheckReport& report, std::string_view file_name) {
  nlohmann::json known = nlohmann::json::array();
  for (const Rule& rule : rules()) known.push_back(sarif_rule(rule.name, rule.description, rule.page));
  known.push_back(sarif_rule(kErrorRule, "The Dockerfile does not build", ""));
  const auto number_of = [&](std::string_view name) {
    return static_cast<std::size_t>(
        std::find_if(known.begin(), known.end(), [&](const auto& rule) { return rule["id"] == name; }) - known.begin());
  };
  nlohmann::json results = nlohmann::json::array();
  for (const Finding& finding : report.findings) {
    const bool fails = report.fails && find_rule(finding.rule)->origin == RuleOrigin::buildkit;
    results.push_back(sarif_result(finding.rule, number_of(finding.rule), fails ? "error" : "warning", finding.message,
                                   file_name, finding.lines));
  }
  if (report.error) {
    results.push_back(sarif_result(kErrorRule, number_of(kErrorRule), "error", report.error->message(), file_name,
                                   report.error_lines));
  }
  const nlohmann::json driver = {{"name", "kiln"}, {"rules", std::move(known)}};
  const nlohmann::json run = {{"tool", {{"driver", driver}}}, {"results", std::move(results)}};
  return {{"$schema", kSarifSchema}, {"version", "2.1.0"}, {"runs", nlohmann::json::array({run})}};
}

}  // namespace kiln::dockerfile

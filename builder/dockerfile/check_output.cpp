#include "builder/dockerfile/check_output.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/credentials.hpp"
#include "base/sarif.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/excerpt.hpp"

namespace kiln::dockerfile {
namespace {

constexpr const char* kErrorRule = "DockerfileError";

// An error repeats a Dockerfile's words.
std::string message_of(const Error& error) { return readable_line(without_url_credentials(error.message())); }

const char* to_string(RuleOrigin origin) { return origin == RuleOrigin::buildkit ? "buildkit" : "kiln"; }

}  // namespace

std::string check_text(const CheckReport& report, std::string_view text, std::string_view file_name) {
  std::string out;
  for (const Finding& finding : report.findings) {
    const Rule& rule = *find_rule(finding.rule);
    out += fmt::format("{}: {} ({})\n{}\n{}\n\n",
                       report.fails && rule.origin == RuleOrigin::buildkit ? "error" : "warning", rule.name, rule.page,
                       printable(finding.message), excerpt(text, file_name, finding.lines));
  }
  if (report.error) out += fmt::format("error: {}\n{}\n", message_of(*report.error), report.error->detail());
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
  out["error"] = report.error ? nlohmann::json(message_of(*report.error)) : nlohmann::json();
  return out;
}

nlohmann::json check_sarif(const CheckReport& report, std::string_view file_name) {
  std::vector<SarifRule> known;
  for (const Rule& rule : rules()) {
    known.push_back({std::string(rule.name), std::string(rule.description),
                     fmt::format("How to fix it: {} of kiln", rule.page), std::string(rule.page)});
  }
  known.push_back({kErrorRule, "The Dockerfile does not build", "The message says what was expected", ""});
  std::vector<SarifResult> results;
  const std::string file(file_name);
  for (const Finding& finding : report.findings) {
    const bool fails = report.fails && find_rule(finding.rule)->origin == RuleOrigin::buildkit;
    results.push_back({finding.rule, fails ? SarifLevel::error : SarifLevel::warning, finding.message, file,
                       finding.lines.first, finding.lines.last});
  }
  if (report.error) {
    results.push_back({kErrorRule, SarifLevel::error, message_of(*report.error), file, report.error_lines.first,
                       report.error_lines.last});
  }
  return sarif_log(known, results);
}

}  // namespace kiln::dockerfile

#include "base/sarif.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/percent.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr const char* kSarifSchema = "https://json.schemastore.org/sarif-2.1.0.json";

// 3.49: what a viewer shows beside a rule is its `help`.
nlohmann::json json_of_rule(const SarifRule& rule) {
  nlohmann::json described = {{"id", rule.id},
                              {"name", rule.id},
                              {"shortDescription", {{"text", rule.description}}},
                              {"fullDescription", {{"text", rule.description}}},
                              {"help", {{"text", rule.help}}}};
  if (!rule.page.empty()) described["properties"] = {{"page", rule.page}};
  return described;
}

nlohmann::json json_of_result(const SarifResult& result, std::size_t rule_number) {
  const int first = std::max(result.first_line, 1);  // a file without instructions has no line
  const std::string file = percent_encoded(result.file, "/");
  const nlohmann::json location = {{"artifactLocation", {{"uri", file}}},
                                   {"region", {{"startLine", first}, {"endLine", std::max(first, result.last_line)}}}};
  return {{"ruleId", result.rule},
          {"ruleIndex", rule_number},
          {"level", result.level == SarifLevel::error ? "error" : "warning"},
          {"message", {{"text", printable(result.message)}}},
          {"locations", nlohmann::json::array({{{"physicalLocation", location}}})}};
}

}  // namespace

nlohmann::json sarif_log(const std::vector<SarifRule>& rules, const std::vector<SarifResult>& results) {
  nlohmann::json known = nlohmann::json::array();
  for (const SarifRule& rule : rules) known.push_back(json_of_rule(rule));
  nlohmann::json told = nlohmann::json::array();
  for (const SarifResult& result : results) {
    const auto rule =
        std::find_if(rules.begin(), rules.end(), [&](const SarifRule& one) { return one.id == result.rule; });
    told.push_back(json_of_result(result, static_cast<std::size_t>(rule - rules.begin())));
  }
  const nlohmann::json driver = {{"name", "kiln"}, {"rules", std::move(known)}};
  const nlohmann::json run = {{"tool", {{"driver", driver}}}, {"results", std::move(told)}};
  return {{"$schema", kSarifSchema}, {"version", "2.1.0"}, {"runs", nlohmann::json::array({run})}};
}

}  // namespace kiln

#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace kiln {

// SARIF 2.1.0 (OASIS), as far as findings in files need it, with the members that GitHub's code scanning asks for: each
// rule has a short and a full description and a help text, each result a rule, a level and one place in a file.
// Fingerprints are left to who uploads it: GitHub's action makes them from the checked out files.
struct SarifRule {
  std::string id;
  std::string description;  // one sentence
  std::string help;         // how to go about it
  std::string page;         // in kiln's repository; may be empty
};

enum class SarifLevel { warning, error };

struct SarifResult {
  std::string rule;  // the id of one of the rules
  SarifLevel level = SarifLevel::warning;
  std::string message;
  std::string file;    // relative to the repository
  int first_line = 0;  // less than 1: the file as a whole
  int last_line = 0;
};

// One run of kiln. Text may be anything: what is not printable is made visible.
nlohmann::json sarif_log(const std::vector<SarifRule>& rules, const std::vector<SarifResult>& results);

}  // namespace kiln

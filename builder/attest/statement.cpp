#include "builder/attest/statement.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/percent.hpp"

namespace kiln {

Statement make_statement(const std::vector<std::string>& names, const oci::Digest& manifest,
                         const std::string& predicate_type, const std::string& predicate) {
  using nlohmann::ordered_json;
  ordered_json subjects = ordered_json::array();
  const ordered_json digest = {{std::string(manifest.algorithm()), std::string(manifest.hex())}};
  for (const std::string& name : names.empty() ? std::vector<std::string>{"_"} : names)
    subjects.push_back({{"name", name}, {"digest", digest}});
  const ordered_json statement = {{"_type", "https://in-toto.io/Statement/v1"},
                                  {"subject", std::move(subjects)},
                                  {"predicateType", predicate_type},
                                  {"predicate", parse_own_ordered_json(predicate)}};
  return {predicate_type, json_text(statement)};
}

std::string subject_name(const std::string& repository, const oci::Platform& platform) {
  return fmt::format("pkg:docker/{}?platform={}", percent_encoded(repository, "/:"), percent_encoded(platform.str()));
}

}  // namespace kiln

#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "builder/definitions/hcl_template.hpp"
#include "builder/definitions/json_source.hpp"
#include "builder/definitions/overrides.hpp"

namespace kiln {

// The variables of a bake file: their defaults, over which the environment's values count. Evaluated when first asked
// for, since a default may name other variables. Only this room's sources include this header.
class BakeVariables {
 public:
  BakeVariables(const JsonSource& source, const EnvironmentLookup& environment);

  // A block of "variable". Error{usage} for an attribute that it cannot have.
  void declare(const std::string& name, const nlohmann::json& block, const std::string& pointer);
  // A top-level attribute: as in buildx a value that the environment does not change.
  void define(const std::string& name, const nlohmann::json& value, const std::string& pointer);

  // nullptr for an unknown name.
  const nlohmann::json* find(const std::string& name);
  std::vector<std::string> names() const;

  // A value with every string in it evaluated, keys too; `scope` goes over the variables. Error{usage} with the place.
  nlohmann::json evaluate(const nlohmann::json& value, const std::string& pointer,
                          const std::map<std::string, nlohmann::json>& scope = {});

 private:
  struct Variable {
    nlohmann::json default_value;
    std::string pointer;
    std::string type;  // as declared; empty: the default's
    bool reads_environment = false;
  };

  nlohmann::json evaluate_text(const std::string& text, const std::string& pointer,
                               const std::map<std::string, nlohmann::json>& scope);
  nlohmann::json from_environment(const std::string& name, const Variable& variable,
                                  const nlohmann::json& default_value, const std::string& text) const;

  const JsonSource& source_;
  const EnvironmentLookup& environment_;
  std::map<std::string, Variable> declared_;
  std::map<std::string, nlohmann::json> values_;
  std::set<std::string> in_progress_;
};

}  // namespace kiln

#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "builder/definitions/bake/module.hpp"

namespace kiln::bake {

// Functions and validations hold nothing but what they are made of. Error{usage} with the place of what is more.
void refuse_unknown(const hcl::Body& body, std::string_view type, const std::vector<std::string>& known);

// The variables and top-level attributes of a module. A value is made when it is first asked for.
class Variables {
 public:
  Variables(const ModuleOptions& options, hcl::Evaluator& evaluator) : options_(options), evaluator_(evaluator) {}

  void declare(const hcl::Block& block);
  void define(const hcl::NamedExpression& attribute);

  // nullopt where there is none of the name.
  std::optional<hcl::Value> find(const std::string& name);
  std::vector<std::string> names() const;
  // Evaluates all, and says what a `validation` says.
  std::vector<BakeVariable> check_all();
  // Evaluates the attributes that nothing asked for. They may name blocks.
  void check_attributes();

 private:
  struct Variable {
    hcl::Block block;
    std::optional<hcl::Type> type;
  };

  hcl::Value evaluate(const std::string& name, const hcl::NamedExpression* attribute, Variable* variable);
  hcl::Value with_given(const std::string& name, const Variable& variable, bool has_default,
                        const hcl::Value& default_value);
  std::optional<std::string> json_given(const std::string& name) const;
  void validate(const Variable& variable);

  const ModuleOptions& options_;
  hcl::Evaluator& evaluator_;
  std::map<std::string, Variable> variables_;
  std::map<std::string, hcl::NamedExpression> attributes_;
  std::map<std::string, hcl::Value> values_;
  std::set<std::string> in_progress_;
};

}  // namespace kiln::bake

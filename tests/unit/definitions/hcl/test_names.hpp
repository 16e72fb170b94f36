#pragma once

#include "builder/definitions/hcl/evaluator.hpp"

namespace kiln::test {

// A file that defines nothing but what is put into these maps.
class TestNames : public hcl::Names {
 public:
  std::map<std::string, hcl::Value> values;
  std::map<std::string, hcl::UserFunction> functions;

  std::optional<hcl::Value> variable(const std::string& name) override {
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  }
  bool is_block_type(const std::string&) const override { return false; }
  std::optional<hcl::Value> block(const std::string&, const std::string&, const std::optional<std::string>&) override {
    return std::nullopt;
  }
  const hcl::UserFunction* function(const std::string& name) const override {
    const auto found = functions.find(name);
    return found == functions.end() ? nullptr : &found->second;
  }
  std::vector<std::string> variable_names() const override {
    std::vector<std::string> names;
    for (const auto& [name, value] : values) names.push_back(name);
    return names;
  }
  std::vector<std::string> block_names(const std::string&) const override { return {}; }
  std::vector<std::string> function_names() const override { return {}; }
};

}  // namespace kiln::test

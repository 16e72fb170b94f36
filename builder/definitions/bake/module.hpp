#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "builder/definitions/bake/set_words.hpp"
#include "builder/definitions/hcl/evaluator.hpp"
#include "builder/definitions/hcl/syntax.hpp"

namespace kiln::bake {

// A target as the files say it, before it takes what it inherits.
struct BakeTarget {
  std::string name;
  std::vector<std::string> inherits;
  AttributeValues values;
  hcl::Place place;
  std::string folder = {};  // the context where none is said; empty: "."
  // Of attributes: the value that was said last.
  std::map<std::string_view, hcl::Place> value_places = {};

  void merge(const BakeTarget& over);
};

struct BakeGroup {
  std::string name;
  std::string description;
  std::vector<std::string> targets;
  hcl::Place place;
  bool has_no_list = false;  // of a Compose file that builds nothing: shown as null, as in buildx
};

// A variable as `--list variables` shows it.
struct BakeVariable {
  std::string name;
  std::string type;  // empty: not said
  std::optional<std::string> value;
  std::string description;
};

// Named contexts that a file in `folder` says, from where the command was started.
void take_contexts_below(const std::string& folder, BakeTarget& target);

// What bake and compose files come to.
struct BakeConfig {
  std::vector<BakeTarget> targets;
  std::vector<BakeGroup> groups;
  std::vector<BakeVariable> variables;
  std::vector<std::string> warnings;
  std::vector<std::shared_ptr<const hcl::Source>> sources;  // what the places point into

  const BakeGroup* find_group(const std::string& name) const;
};

struct ModuleOptions {
  ValueLookup given;                            // --var, else the environment
  std::map<std::string, std::string> built_in;  // BAKE_CMD_CONTEXT and the like: nothing goes over them
  // Where contexts are relative to the file that says them: the folders of these files.
  std::map<const hcl::Source*, std::string> folders = {};
  bool checks_values = true;  // by the validations of variables
};

// Evaluates files in HCL's two syntaxes, in their order, over what compose files have said already. As in buildx a
// variable, function or group that comes again takes the place of the former one, and a target is merged over it.
//
// Error{usage} with the place.
void evaluate_module(const std::vector<hcl::Document>& documents, const ModuleOptions& options, BakeConfig& config);

// Letters, digits, '-' and '_', as names of targets and groups are.
bool is_target_name(std::string_view name);

}  // namespace kiln::bake

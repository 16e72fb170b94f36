#include "builder/definitions/bake/module.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/near_hint.hpp"
#include "base/text.hpp"
#include "builder/definitions/bake/variables.hpp"
#include "builder/definitions/hcl/convert.hpp"

namespace kiln::bake {

namespace {

using hcl::Type;
using hcl::Value;

// More targets of one matrix are a mistake, or meant ill.
constexpr std::size_t kMaxTargets = 10'000;

const std::vector<std::string> kGroupAttributes = {"description", "targets"};

// One block of a target or group, and the targets that its matrix makes of it.
struct ModuleBlock {
  hcl::Block block;
  std::vector<hcl::Scope> scopes;
  std::vector<std::string> names;
};

class Module : public hcl::Names {
 public:
  Module(const ModuleOptions& options, BakeConfig& config)
      : options_(options), evaluator_(*this), variables_(options, evaluator_), config_(config) {
    for (const BakeTarget& target : config.targets) target_numbers_.emplace(target.name, target_numbers_.size());
  }

  void add(const hcl::Document& document) {
    const hcl::Body& body = *document.body;
    for (const hcl::Block& block : body.blocks_of("variable", 1)) {
      variables_.declare(block);
      warn_of_unknown(block, {"default", "description", "type", "validation"});
    }
    for (const hcl::Block& block : body.blocks_of("function", 1)) {
      declare_function(block);
    }
    for (const char* type : {"group", "target"}) {
      for (hcl::Block& block : body.blocks_of(type, 1)) blocks_.push_back({std::move(block), {}, {}});
    }
    for (const hcl::NamedExpression& attribute : body.attributes) {
      if (is_known_type(attribute.name)) continue;
      variables_.define(attribute);
      const std::string near = near_question(attribute.name, {"function", "group", "target", "variable"});
      if (!near.empty() && std::holds_alternative<hcl::Object>(attribute.value->node)) {
        config_.warnings.push_back(fmt::format("{}: '{}' is taken for a variable; {}", attribute.place.str(),
                                               printable(attribute.name), near));
      }
    }
    for (const hcl::Block& block : body.blocks) {
      if (is_known_type(block.type)) continue;
      config_.warnings.push_back(fmt::format("{}: the block '{}' says nothing to a bake and is left out{}",
                                             block.place.str(), printable(block.type),
                                             suggestion(block.type, {"function", "group", "target", "variable"})));
    }
  }

  void evaluate() {
    config_.variables = variables_.check_all();
    for (ModuleBlock& block : blocks_) find_names(block);
    for (const ModuleBlock& block : blocks_) {
      for (std::size_t i = 0; i < block.names.size(); ++i) index_[{block.block.type, block.names[i]}] = {&block, i};
    }
    for (const ModuleBlock& block : blocks_) {
      if (block.block.type == "group") {
        add_group(block);
      } else {
        for (std::size_t i = 0; i < block.names.size(); ++i) add_target(block, i);
        warn_of_unknown(block.block, target_attributes());
      }
    }
    add_matrix_groups();
    variables_.check_attributes();
  }

  // hcl::Names
  std::optional<Value> variable(const std::string& name) override { return variables_.find(name); }
  bool is_block_type(const std::string& name) const override { return name == "target" || name == "group"; }
  std::optional<Value> block(const std::string& type, const std::string& name,
                             const std::optional<std::string>& attribute) override {
    const auto found = index_.find({type, name});
    if (found == index_.end()) return std::nullopt;
    if (attribute) return reference(*found->second.first, found->second.second, *attribute);
    Value::Members members;
    for (const std::string& known : attribute_names(type)) {
      members[known] = reference(*found->second.first, found->second.second, known);
    }
    return Value::object(std::move(members));
  }
  const hcl::UserFunction* function(const std::string& name) const override {
    const auto found = functions_.find(name);
    return found == functions_.end() ? nullptr : &found->second;
  }
  std::vector<std::string> variable_names() const override { return variables_.names(); }
  std::vector<std::string> block_names(const std::string& type) const override {
    std::vector<std::string> names;
    for (const auto& [key, block] : index_) {
      if (key.first == type) names.push_back(key.second);
    }
    return names;
  }
  std::vector<std::string> function_names() const override {
    std::vector<std::string> names;
    for (const auto& [name, function] : functions_) names.push_back(name);
    return names;
  }

 private:
  static bool is_known_type(const std::string& name) {
    return name == "variable" || name == "function" || name == "group" || name == "target";
  }

  static std::vector<std::string> attribute_names(const std::string& type) {
    if (type == "group") return {"name", "description", "targets"};
    std::vector<std::string> names = {"name", "inherits"};
    for (const Attribute& attribute : attributes()) names.emplace_back(attribute.name);
    return names;
  }

  void declare_function(const hcl::Block& block) {
    refuse_unknown(*block.body, "function", {"params", "result", "variadic_params"});
    hcl::UserFunction function;
    const hcl::NamedExpression* parameters = block.body->find("params");
    const hcl::NamedExpression* result = block.body->find("result");
    if (parameters == nullptr || result == nullptr) {
      hcl::fail(block.place, fmt::format("the function '{}' has no '{}'", printable(block.labels.front()),
                                         parameters == nullptr ? "params" : "result"));
    }
    const auto* list = std::get_if<hcl::Tuple>(&parameters->value->node);
    if (list == nullptr) hcl::fail(parameters->value->place, "the parameters of a function are a list of names");
    for (const hcl::ExpressionPtr& item : list->items) {
      const auto name = hcl::keyword_of(*item);
      if (!name) hcl::fail(item->place, "a parameter is a name");
      function.parameters.push_back(*name);
    }
    if (const hcl::NamedExpression* rest = block.body->find("variadic_params")) {
      const auto name = hcl::keyword_of(*rest->value);
      if (!name) hcl::fail(rest->value->place, "a parameter is a name");
      function.rest = *name;
    }
    function.result = result->value;
    functions_.insert_or_assign(block.labels.front(), std::move(function));
  }

  void check_name(const std::string& name, const hcl::Place& place) const {
    if (is_target_name(name)) return;
    hcl::fail(place, fmt::format("'{}' is no valid name; expected letters, digits, '-' and '_'", printable(name)));
  }

  void find_names(ModuleBlock& block) {
    const hcl::Body& body = *block.block.body;
    const std::string& label = block.block.labels.front();
    check_name(label, block.block.label_place);
    const hcl::NamedExpression* matrix = body.find("matrix");
    const hcl::NamedExpression* name = body.find("name");
    if (block.block.type == "group") {
      if (matrix != nullptr) hcl::fail(matrix->place, "a group can have no 'matrix'");
      if (name != nullptr) hcl::fail(name->place, "a group can have no 'name'");
    }
    if (matrix == nullptr) {
      if (name != nullptr) hcl::fail(name->place, "'name' belongs to a 'matrix'");
      block.scopes.emplace_back();
      block.names.push_back(label);
      return;
    }
    block.scopes = combinations(*matrix->value);
    std::set<std::string> seen;
    if (name == nullptr && block.scopes.size() > 1) {
      hcl::fail(matrix->place, "a matrix needs a 'name' for its targets");
    }
    for (const hcl::Scope& scope : block.scopes) {
      std::string made = label;
      if (name != nullptr) {
        const Value value = evaluator_.evaluate_as(*name->value, Type::string(), &scope);
        if (value.is_null()) hcl::fail(name->value->place, "the name is null");
        made = value.text();
        check_name(made, name->value->place);
      }
      if (!seen.insert(made).second) {
        hcl::fail(name->value->place, fmt::format("two targets of the matrix have the name '{}'", printable(made)));
      }
      block.names.push_back(std::move(made));
    }
    matrix_labels_.insert(label);
  }

  // All combinations of a matrix, the first parameter (by name) running fastest.
  std::vector<hcl::Scope> combinations(const hcl::Expression& matrix) {
    const Value values = evaluator_.evaluate(matrix);
    if (!values.is_mapping()) hcl::fail(matrix.place, "a matrix is an object of lists");
    std::vector<hcl::Scope> scopes(1);
    for (const auto& [key, list] : values.members()) {
      if (!list.is_sequence() && !list.is_mapping()) {
        hcl::fail(matrix.place, fmt::format("the values of '{}' in a matrix are a list", printable(key)));
      }
      if (list.size() * scopes.size() > kMaxTargets) {
        hcl::fail(matrix.place, fmt::format("the matrix has more than {} combinations", kMaxTargets));
      }
      // A map counts as the list of its values.
      Value::Items items = list.is_sequence() ? list.items() : Value::Items{};
      if (list.is_mapping()) {
        for (const auto& [name, member] : list.members()) items.push_back(member);
      }
      std::vector<hcl::Scope> next;
      for (const Value& value : items) {
        for (hcl::Scope scope : scopes) {
          scope.values[key] = value;
          next.push_back(std::move(scope));
        }
      }
      scopes = std::move(next);
    }
    return scopes;
  }

  // The value of an attribute that the block says; nullopt where it does not say it or says null.
  std::optional<Value> attribute(const ModuleBlock& block, std::size_t index, const Attribute& attribute) {
    const hcl::NamedExpression* said = block.block.body->find(std::string(attribute.name));
    if (said == nullptr) return std::nullopt;
    const auto key = std::tuple(&block, index, &attribute);
    if (const auto known = evaluated_.find(key); known != evaluated_.end()) return known->second;
    if (!in_progress_.insert(key).second) {
      hcl::fail(said->place, fmt::format("'{}.{}.{}' leads back to itself", block.block.type,
                                         printable(block.names[index]), attribute.name));
    }
    const Value value = evaluator_.evaluate(*said->value, &block.scopes[index]);
    evaluator_.charge_result(value, said->value->place);
    std::optional<Value> result;
    try {
      result = read_attribute(attribute, value);
    } catch (const hcl::ValueError& error) {
      hcl::fail(said->value->place, fmt::format("'{}': {}", attribute.name, error.what()));
    }
    in_progress_.erase(key);
    evaluated_.emplace(key, result);
    return result;
  }

  std::vector<std::string> texts(const ModuleBlock& block, std::size_t index, const std::string& name) {
    const hcl::NamedExpression* said = block.block.body->find(name);
    if (said == nullptr) return {};
    const Value list = evaluator_.evaluate_as(*said->value, Type::list(Type::string()), &block.scopes[index]);
    std::vector<std::string> result;
    if (list.is_null()) return result;
    for (const Value& item : list.items()) {
      if (item.is_null()) hcl::fail(said->value->place, fmt::format("an item of '{}' is null", name));
      result.push_back(item.text());
    }
    return result;
  }

  // What an expression sees of another block: every attribute is there, those that are not said as null or empty.
  Value reference(const ModuleBlock& block, std::size_t index, const std::string& name) {
    if (name == "name") return Value::of(block.names[index]);
    if (name == "inherits" || (block.block.type == "group" && name == "targets")) {
      Value::Items items;
      for (std::string& text : texts(block, index, name)) items.push_back(Value::of(std::move(text)));
      if (items.empty()) return Value::null(Type::list(Type::string()));
      return Value::list(Type::string(), std::move(items));
    }
    const Attribute* known = find_attribute(name);
    if (known == nullptr || (block.block.type == "group" && name != "description")) {
      hcl::fail(block.block.place, fmt::format("a {} has no attribute '{}'{}", block.block.type, printable(name),
                                               suggestion(name, attribute_names(block.block.type))));
    }
    if (auto value = attribute(block, index, *known)) return *std::move(value);
    if (known->form == Attribute::Form::entries) return Value::tuple({});
    if (known->is_never_null) return Value::of("");
    const Type type = known->form == Attribute::Form::texts   ? Type::list(Type::string())
                      : known->form == Attribute::Form::pairs ? Type::map(Type::string())
                      : known->form == Attribute::Form::flag  ? Type::boolean()
                                                              : Type::string();
    return Value::null(type);
  }

  void add_group(const ModuleBlock& block) {
    const std::string& name = block.names.front();
    if (block.block.body->find("targets") == nullptr) {
      hcl::fail(block.block.place, fmt::format("the group '{}' has no 'targets'", printable(name)));
    }
    BakeGroup group{name, "", texts(block, 0, "targets"), block.block.place};
    if (const auto text = attribute(block, 0, *find_attribute("description"))) group.description = text->text();
    std::set<std::string_view> seen;
    std::vector<std::string> distinct;
    for (const std::string& target : group.targets) {
      if (seen.insert(target).second) distinct.push_back(target);
    }
    group.targets = std::move(distinct);
    const auto same = std::find_if(config_.groups.begin(), config_.groups.end(),
                                   [&](const BakeGroup& known) { return known.name == name; });
    if (same == config_.groups.end()) {
      config_.groups.push_back(std::move(group));
    } else {
      *same = std::move(group);
    }
    warn_of_unknown(block.block, kGroupAttributes);
  }

  void add_target(const ModuleBlock& block, std::size_t index) {
    BakeTarget target{block.names[index], texts(block, index, "inherits"), {}, block.block.place};
    for (const hcl::NamedExpression& said : block.block.body->attributes) {
      const Attribute* known = find_attribute(said.name);
      if (known == nullptr) continue;
      auto value = attribute(block, index, *known);
      if (!value) continue;
      target.values.insert_or_assign(said.name, *std::move(value));
      target.value_places.insert_or_assign(known->name, said.value->place);
    }
    take_file_relative(block, target);
    const auto known = target_numbers_.find(target.name);
    if (known != target_numbers_.end()) {
      config_.targets[known->second].merge(target);
    } else {
      target_numbers_[target.name] = config_.targets.size();
      config_.targets.push_back(std::move(target));
    }
  }

  // The folder of the file that says an expression, which is `folder`; of `target.NAME.context` that of the target's,
  // since its text is a path there.
  std::string folder_of(const hcl::Expression& expression, const std::string& folder) const {
    const auto* outer = std::get_if<hcl::Attribute>(&expression.node);
    const auto* inner = outer == nullptr ? nullptr : std::get_if<hcl::Attribute>(&outer->object->node);
    const auto* root = inner == nullptr ? nullptr : std::get_if<hcl::Variable>(&inner->object->node);
    if (root == nullptr || root->name != "target" || outer->name != "context") return folder;
    const auto named = index_.find({"target", inner->name});
    if (named == index_.end()) return folder;
    const hcl::Block& other = named->second.first->block;
    const hcl::NamedExpression* said = other.body->find("context");
    const auto of_other = options_.folders.find(other.place.source);
    if (said == nullptr || of_other == options_.folders.end()) return folder;
    return folder_of(*said->value, of_other->second);
  }

  void take_file_relative(const ModuleBlock& block, BakeTarget& target) const {
    const auto folder = options_.folders.find(block.block.place.source);
    if (folder == options_.folders.end()) return;
    target.folder = folder->second;
    const hcl::NamedExpression* said = block.block.body->find("context");
    if (const auto context = target.values.find("context"); context != target.values.end() && said != nullptr) {
      context->second = Value::of(context_below(folder_of(*said->value, folder->second), context->second.text()));
    }
    take_contexts_below(folder->second, target);
  }

  // As in buildx what a block says beyond its attributes counts for nothing; here it is said.
  void warn_of_unknown(const hcl::Block& block, const std::vector<std::string>& known) {
    for (const hcl::NamedExpression& said : block.body->attributes) {
      if (std::find(known.begin(), known.end(), said.name) != known.end()) continue;
      config_.warnings.push_back(fmt::format("{}: '{}' is no attribute of a {} and is left out{}", said.place.str(),
                                             printable(said.name), block.type, suggestion(said.name, known)));
    }
    for (const hcl::Block& nested : block.body->blocks) {
      if (std::find(known.begin(), known.end(), nested.type) != known.end() && block.type == "variable") continue;
      config_.warnings.push_back(
          fmt::format("{}: the block '{}' in a {} is left out; an attribute is written '{} = {{'", nested.place.str(),
                      printable(nested.type), block.type, printable(nested.type)));
    }
  }

  static std::vector<std::string> target_attributes() {
    std::vector<std::string> known = {"inherits", "matrix", "name"};
    for (const Attribute& attribute : attributes()) known.emplace_back(attribute.name);
    return known;
  }

  // A group of the name that was written, for the targets that a matrix made of it.
  void add_matrix_groups() {
    for (const std::string& label : matrix_labels_) {
      BakeGroup group{label, "", {}, {}};
      std::set<std::string_view> seen;
      for (const ModuleBlock& block : blocks_) {
        if (block.block.type != "target" || block.block.labels.front() != label) continue;
        group.place = block.block.place;
        for (const std::string& name : block.names) {
          if (seen.insert(name).second) group.targets.push_back(name);
        }
      }
      const bool is_itself = group.targets.size() == 1 && group.targets.front() == label;
      if (!is_itself && !group.targets.empty() && config_.find_group(label) == nullptr)
        config_.groups.push_back(std::move(group));
    }
  }

  const ModuleOptions& options_;
  hcl::Evaluator evaluator_;
  Variables variables_;
  BakeConfig& config_;
  std::map<std::string, hcl::UserFunction> functions_;
  std::vector<ModuleBlock> blocks_;
  std::set<std::string> matrix_labels_;
  std::map<std::pair<std::string, std::string>, std::pair<const ModuleBlock*, std::size_t>> index_;
  std::map<std::string, std::size_t> target_numbers_;
  using AttributeKey = std::tuple<const ModuleBlock*, std::size_t, const Attribute*>;
  std::map<AttributeKey, std::optional<Value>> evaluated_;
  std::set<AttributeKey> in_progress_;
};

}  // namespace

void take_contexts_below(const std::string& folder, BakeTarget& target) {
  const auto contexts = target.values.find("contexts");
  if (contexts == target.values.end()) return;
  Value::Members members = contexts->second.members();
  for (auto& [name, context] : members) context = Value::of(context_below(folder, context.text()));
  contexts->second = Value::map(Type::string(), std::move(members));
}

void BakeTarget::merge(const BakeTarget& over) {
  if (!over.folder.empty()) folder = over.folder;
  inherits.insert(inherits.end(), over.inherits.begin(), over.inherits.end());
  merge_over(values, over.values);
  for (const auto& [attribute, of_value] : over.value_places) value_places.insert_or_assign(attribute, of_value);
}

const BakeGroup* BakeConfig::find_group(const std::string& name) const {
  const auto found =
      std::find_if(groups.begin(), groups.end(), [&](const BakeGroup& group) { return group.name == name; });
  return found == groups.end() ? nullptr : &*found;
}

bool is_target_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

void evaluate_module(const std::vector<hcl::Document>& documents, const ModuleOptions& options, BakeConfig& config) {
  Module module(options, config);
  for (const hcl::Document& document : documents) {
    config.sources.push_back(document.source);
    module.add(document);
  }
  module.evaluate();
}

}  // namespace kiln::bake

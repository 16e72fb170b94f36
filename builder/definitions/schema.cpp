// A schema is compiled into nodes once; a value is checked by walking both, and each keyword says what is wrong in the
// words of definition files.
//
// Rejected: valijson (1.0 in Debian 12), which reads nlohmann's JSON too. Its results are sentences about constraints
// ("Failed to match against any enum values"), so the nearest word, what a pattern expects and which of several forms
// was meant would have to be found by walking the schema all the same; it passes over keywords that it does not know
// and those of draft 2020-12; and it ends the process where a reference leads back to itself or a pattern is tried on a
// text of a megabyte (std::regex recurses for each character).

#include "builder/definitions/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <set>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/near_hint.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "builder/definitions/json_source.hpp"

namespace kiln {

using nlohmann::json;

namespace {

// std::regex recurses once per character.
constexpr std::size_t kMaxPatternSubject = 4096;

struct Pattern {
  std::string text;
  std::regex regex;

  bool found_in(const std::string& value) const {
    return value.size() <= kMaxPatternSubject && std::regex_search(value, regex);
  }
};

struct Node {
  std::optional<bool> verdict;  // of the schemas `true` and `false`
  std::vector<std::string> types;
  std::map<std::string, Node*> properties;
  std::vector<std::pair<Pattern, Node*>> pattern_properties;
  Node* additional = nullptr;
  Node* property_names = nullptr;
  std::vector<std::string> required;
  std::optional<std::size_t> min_properties, min_items, max_items, min_length, max_length;
  std::optional<std::vector<json>> allowed;  // enum, const
  std::optional<Pattern> pattern;
  std::optional<double> minimum, maximum;
  Node* items = nullptr;
  bool unique_items = false;
  std::vector<Node*> one_of, any_of, all_of;
  Node* none_of = nullptr;
  std::string ref_text;
  Node* ref = nullptr;
  std::string expects;  // of the pattern, in words
  std::vector<std::string> sets;
};

std::string_view type_of(const json& value) {
  switch (value.type()) {
    case json::value_t::null:
      return "null";
    case json::value_t::boolean:
      return "boolean";
    case json::value_t::string:
      return "string";
    case json::value_t::array:
      return "array";
    case json::value_t::object:
      return "object";
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
      return "integer";
    default:
      return "number";
  }
}

bool has_type(const json& value, std::string_view type) {
  const std::string_view own = type_of(value);
  if (own == type) return true;
  if (type == "number") return own == "integer";
  // JSON Schema: 3.0 is an integer too.
  return type == "integer" && own == "number" && std::trunc(value.get<double>()) == value.get<double>();
}

std::string shown(const json& value) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    return fmt::format("'{}'", printable(text, 80));
  }
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  return json_text(value);
}

std::string_view with_article(std::string_view type) {
  if (type == "string") return "a string";
  if (type == "integer") return "a whole number";
  if (type == "number") return "a number";
  if (type == "boolean") return "true or false";
  if (type == "array") return "a list";
  if (type == "object") return "an object";
  return "null";
}

std::string or_list(const std::vector<std::string>& words) {
  std::string result;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) result += i + 1 == words.size() ? " or " : ", ";
    result += words[i];
  }
  return result;
}

std::size_t length_in_characters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

const std::set<std::string>& annotations() {
  static const std::set<std::string> names = {"$schema", "$id",        "$comment", "title",  "description",
                                              "default", "deprecated", "examples", "format", "$defs"};
  return names;
}

// Turns a schema's JSON into Nodes. References are resolved when all of it was read.
class Compiler {
 public:
  Compiler(const JsonSource& source, std::deque<Node>& nodes) : source_(source), nodes_(nodes) {}

  Node* compile_root(const json& schema) {
    Node* root = compile(schema, "");
    for (const auto& [node, pointer] : pending_) {
      const auto target = by_pointer_.find(node->ref_text.substr(1));
      if (target == by_pointer_.end()) source_.fail(pointer, fmt::format("'{}' leads nowhere", node->ref_text));
      node->ref = target->second;
    }
    for (const auto& [node, pointer] : pending_) {
      std::set<const Node*> path;
      if (leads_back(node, path)) source_.fail(pointer, fmt::format("'{}' leads back to itself", node->ref_text));
    }
    return root;
  }

 private:
  Node* compile(const json& schema, const std::string& pointer) {
    Node& node = nodes_.emplace_back();
    by_pointer_[pointer] = &node;
    if (schema.is_boolean()) {
      node.verdict = schema.get<bool>();
      return &node;
    }
    if (!schema.is_object()) source_.fail(pointer, "a schema is an object, true or false");
    for (const auto& [keyword, value] : schema.items()) {
      read_keyword(node, keyword, value, child_pointer(pointer, keyword));
    }
    return &node;
  }

  void read_keyword(Node& node, const std::string& keyword, const json& value, const std::string& at) {
    if (keyword == "$ref") {
      node.ref_text = text(value, at);
      if (!node.ref_text.starts_with("#/$defs/")) source_.fail(at, "kiln follows references to '#/$defs/' only");
      pending_.emplace_back(&node, at);
    } else if (keyword == "$defs") {
      each_member(value, at, [](const std::string&, Node*) {});
    } else if (keyword == "type") {
      node.types = value.is_array() ? texts(value, at) : std::vector<std::string>{text(value, at)};
      for (const std::string& type : node.types) {
        static const std::vector<std::string> known = {"string", "integer", "number", "boolean",
                                                       "array",  "object",  "null"};
        if (std::find(known.begin(), known.end(), type) == known.end()) {
          source_.fail(at, fmt::format("unknown type '{}'{}", printable(type), suggestion(type, known)));
        }
      }
    } else if (keyword == "properties") {
      each_member(value, at, [&](const std::string& name, Node* child) { node.properties[name] = child; });
    } else if (keyword == "patternProperties") {
      each_member(value, at, [&](const std::string& name, Node* child) {
        node.pattern_properties.emplace_back(pattern(name, child_pointer(at, name)), child);
      });
    } else if (keyword == "additionalProperties") {
      node.additional = compile(value, at);
    } else if (keyword == "propertyNames") {
      node.property_names = compile(value, at);
    } else if (keyword == "required") {
      node.required = texts(value, at);
    } else if (keyword == "minProperties") {
      node.min_properties = count(value, at);
    } else if (keyword == "enum") {
      if (!value.is_array()) source_.fail(at, "'enum' is a list");
      node.allowed = value.get<std::vector<json>>();
    } else if (keyword == "const") {
      node.allowed = std::vector<json>{value};
    } else if (keyword == "pattern") {
      node.pattern = pattern(text(value, at), at);
    } else if (keyword == "minLength") {
      node.min_length = count(value, at);
    } else if (keyword == "maxLength") {
      node.max_length = count(value, at);
    } else if (keyword == "minimum") {
      node.minimum = number(value, at);
    } else if (keyword == "maximum") {
      node.maximum = number(value, at);
    } else if (keyword == "items") {
      node.items = compile(value, at);
    } else if (keyword == "minItems") {
      node.min_items = count(value, at);
    } else if (keyword == "maxItems") {
      node.max_items = count(value, at);
    } else if (keyword == "uniqueItems") {
      if (!value.is_boolean()) source_.fail(at, "'uniqueItems' is true or false");
      node.unique_items = value.get<bool>();
    } else if (keyword == "oneOf") {
      node.one_of = branches(value, at);
    } else if (keyword == "anyOf") {
      node.any_of = branches(value, at);
    } else if (keyword == "allOf") {
      node.all_of = branches(value, at);
    } else if (keyword == "not") {
      node.none_of = compile(value, at);
    } else if (keyword == "x-kiln-expects") {
      node.expects = text(value, at);
    } else if (keyword == "x-kiln-sets") {
      node.sets = texts(value, at);
    } else if (!annotations().contains(keyword) && !keyword.starts_with("x-")) {
      source_.fail(at, fmt::format("kiln does not know the schema keyword '{}'", printable(keyword)));
    }
  }

  template <class Use>
  void each_member(const json& value, const std::string& at, Use&& use) {
    if (!value.is_object()) source_.fail(at, "expected an object of schemas");
    for (const auto& [name, schema] : value.items()) use(name, compile(schema, child_pointer(at, name)));
  }
  std::vector<Node*> branches(const json& value, const std::string& at) {
    if (!value.is_array() || value.empty()) source_.fail(at, "expected a list of schemas");
    std::vector<Node*> result;
    for (std::size_t i = 0; i < value.size(); ++i) result.push_back(compile(value[i], child_pointer(at, i)));
    return result;
  }
  std::string text(const json& value, const std::string& at) {
    if (!value.is_string()) source_.fail(at, "expected a string");
    return value.get<std::string>();
  }
  std::vector<std::string> texts(const json& value, const std::string& at) {
    if (!value.is_array()) source_.fail(at, "expected a list of strings");
    std::vector<std::string> result;
    for (const json& item : value) result.push_back(text(item, at));
    return result;
  }
  std::size_t count(const json& value, const std::string& at) {
    if (!value.is_number_unsigned()) source_.fail(at, "expected a whole number");
    return value.get<std::size_t>();
  }
  double number(const json& value, const std::string& at) {
    if (!value.is_number()) source_.fail(at, "expected a number");
    return value.get<double>();
  }
  Pattern pattern(const std::string& source_text, const std::string& at) {
    try {
      return {source_text, std::regex(source_text, std::regex::ECMAScript)};
    } catch (const std::regex_error&) {
      source_.fail(at, fmt::format("'{}' is no regular expression", printable(source_text)));
    }
  }

  // Whether a node is reached again without going down into the document.
  static bool leads_back(const Node* node, std::set<const Node*>& path) {
    if (!path.insert(node).second) return true;
    const auto any = [&](const std::vector<Node*>& children) {
      return std::any_of(children.begin(), children.end(), [&](Node* child) { return leads_back(child, path); });
    };
    const bool back = (node->ref != nullptr && leads_back(node->ref, path)) || any(node->one_of) || any(node->any_of) ||
                      any(node->all_of) || (node->none_of != nullptr && leads_back(node->none_of, path));
    path.erase(node);
    return back;
  }

  const JsonSource& source_;
  std::deque<Node>& nodes_;
  std::map<std::string, Node*> by_pointer_;
  std::vector<std::pair<Node*, std::string>> pending_;
};

using Issues = std::vector<SchemaIssue>;

void check(const Node& node, const json& value, const std::string& pointer, Issues& issues);

Issues issues_of(const Node& node, const json& value, const std::string& pointer) {
  Issues issues;
  check(node, value, pointer, issues);
  return issues;
}

void collect_types(const Node& node, std::vector<std::string>& into) {
  if (node.ref != nullptr) collect_types(*node.ref, into);
  for (const std::string& type : node.types) into.emplace_back(with_article(type));
}

bool accepts_type(const Node& node, const json& value) {
  if (node.ref != nullptr && !accepts_type(*node.ref, value)) return false;
  return node.types.empty() ||
         std::any_of(node.types.begin(), node.types.end(), [&](const auto& type) { return has_type(value, type); });
}

// What to say of a value that no branch takes: the branch that its type speaks for knows best.
void explain_branches(const std::vector<Node*>& branches, const json& value, const std::string& pointer,
                      Issues& issues) {
  std::vector<Node*> fitting;
  for (Node* branch : branches) {
    if (accepts_type(*branch, value)) fitting.push_back(branch);
  }
  if (fitting.size() == 1) {
    check(*fitting.front(), value, pointer, issues);
    return;
  }
  std::vector<std::string> types;
  for (const Node* branch : branches) collect_types(*branch, types);
  if (fitting.empty() && !types.empty()) {
    issues.push_back({pointer, fmt::format("expected {}, got {}", or_list(types), shown(value))});
  } else {
    issues.push_back({pointer, fmt::format("{} is none of the forms that are allowed here", shown(value))});
  }
}

void check_branches(const Node& node, const json& value, const std::string& pointer, Issues& issues) {
  const auto matching = [&](const std::vector<Node*>& branches) {
    return std::count_if(branches.begin(), branches.end(),
                         [&](const Node* branch) { return issues_of(*branch, value, pointer).empty(); });
  };
  for (const Node* branch : node.all_of) check(*branch, value, pointer, issues);
  if (!node.any_of.empty() && matching(node.any_of) == 0) explain_branches(node.any_of, value, pointer, issues);
  if (!node.one_of.empty()) {
    const auto fits = matching(node.one_of);
    if (fits == 0) explain_branches(node.one_of, value, pointer, issues);
    if (fits > 1) issues.push_back({pointer, fmt::format("{} fits more than one form", shown(value))});
  }
  if (node.none_of != nullptr && issues_of(*node.none_of, value, pointer).empty()) {
    issues.push_back({pointer, fmt::format("{} is not allowed here", shown(value))});
  }
}

void check_object(const Node& node, const json& value, const std::string& pointer, Issues& issues) {
  std::vector<std::string> known;
  for (const auto& [name, child] : node.properties) {
    if (!name.starts_with("$")) known.push_back(name);
  }
  for (const std::string& name : node.required) {
    if (!value.contains(name)) issues.push_back({pointer, fmt::format("the key '{}' is missing", name)});
  }
  if (node.min_properties && value.size() < *node.min_properties) {
    issues.push_back(
        {pointer, fmt::format("expected at least {} of the keys {}", *node.min_properties, join(known, ", "))});
  }
  for (const auto& [name, member] : value.items()) {
    const std::string at = child_pointer(pointer, name);
    if (node.property_names != nullptr) {
      for (SchemaIssue& issue : issues_of(*node.property_names, json(name), at)) {
        issues.push_back({at, fmt::format("key {}", issue.message)});
      }
    }
    bool is_known = false;
    if (const auto property = node.properties.find(name); property != node.properties.end()) {
      is_known = true;
      check(*property->second, member, at, issues);
    }
    for (const auto& [pattern, child] : node.pattern_properties) {
      if (!pattern.found_in(name)) continue;
      is_known = true;
      check(*child, member, at, issues);
    }
    if (is_known || node.additional == nullptr) continue;
    if (node.additional->verdict == false) {
      issues.push_back({at, fmt::format("unknown key '{}'{}", printable(name), suggestion(name, known)), true});
    } else {
      check(*node.additional, member, at, issues);
    }
  }
}

void check_array(const Node& node, const json& value, const std::string& pointer, Issues& issues) {
  if (node.min_items && value.size() < *node.min_items) {
    issues.push_back({pointer, fmt::format("expected {} or more items, got {}", *node.min_items, value.size())});
  }
  if (node.max_items && value.size() > *node.max_items) {
    issues.push_back({pointer, fmt::format("expected at most {} items, got {}", *node.max_items, value.size())});
  }
  std::set<json> seen;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string at = child_pointer(pointer, i);
    if (node.unique_items && !seen.insert(value[i]).second) {
      issues.push_back({at, fmt::format("{} is there twice", shown(value[i]))});
    }
    if (node.items != nullptr) check(*node.items, value[i], at, issues);
  }
}

void check_string(const Node& node, const json& value, const std::string& pointer, Issues& issues) {
  const auto& text = value.get_ref<const std::string&>();
  if (node.min_length && length_in_characters(text) < *node.min_length) {
    issues.push_back({pointer, text.empty()
                                   ? std::string("expected a text, got an empty one")
                                   : fmt::format("{} is shorter than {} characters", shown(value), *node.min_length)});
  }
  if (node.max_length && length_in_characters(text) > *node.max_length) {
    issues.push_back({pointer, fmt::format("{} is longer than {} characters", shown(value), *node.max_length)});
  }
  if (node.pattern && !node.pattern->found_in(text)) {
    const std::string expected =
        node.expects.empty() ? fmt::format("a text that matches '{}'", printable(node.pattern->text)) : node.expects;
    issues.push_back({pointer, fmt::format("{} is not valid; expected {}", shown(value), expected)});
  }
}

void check(const Node& node, const json& value, const std::string& pointer, Issues& issues) {
  if (node.verdict) {
    if (!*node.verdict) issues.push_back({pointer, fmt::format("{} is not allowed here", shown(value))});
    return;
  }
  if (node.ref != nullptr) check(*node.ref, value, pointer, issues);
  if (!node.types.empty() &&
      std::none_of(node.types.begin(), node.types.end(), [&](const auto& type) { return has_type(value, type); })) {
    std::vector<std::string> expected;
    for (const std::string& type : node.types) expected.emplace_back(with_article(type));
    issues.push_back({pointer, fmt::format("expected {}, got {}", or_list(expected), shown(value))});
    return;
  }
  if (node.allowed && std::find(node.allowed->begin(), node.allowed->end(), value) == node.allowed->end()) {
    std::vector<std::string> words, quoted;
    for (const json& one : *node.allowed) {
      if (one.is_string()) words.push_back(one.get<std::string>());
      quoted.push_back(shown(one));
    }
    const std::string near = value.is_string() ? near_question(value.get_ref<const std::string&>(), words) : "";
    issues.push_back({pointer, fmt::format("{} is not valid; {}", shown(value),
                                           near.empty() ? "expected " + or_list(quoted) : near)});
  }
  if (value.is_object()) check_object(node, value, pointer, issues);
  if (value.is_array()) check_array(node, value, pointer, issues);
  if (value.is_string()) check_string(node, value, pointer, issues);
  if (value.is_number()) {
    if (node.minimum && value.get<double>() < *node.minimum) {
      issues.push_back({pointer, fmt::format("{} is less than {}", shown(value), *node.minimum)});
    }
    if (node.maximum && value.get<double>() > *node.maximum) {
      issues.push_back({pointer, fmt::format("{} is more than {}", shown(value), *node.maximum)});
    }
  }
  check_branches(node, value, pointer, issues);
}

}  // namespace

struct JsonSchema::Impl {
  std::deque<Node> nodes;  // stable addresses
  Node* root = nullptr;
};

JsonSchema::JsonSchema(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JsonSchema::JsonSchema(JsonSchema&&) noexcept = default;
JsonSchema& JsonSchema::operator=(JsonSchema&&) noexcept = default;
JsonSchema::~JsonSchema() = default;

JsonSchema JsonSchema::parse(std::string_view text, const std::string& name) {
  const JsonSource source(name, std::string(text));
  auto impl = std::make_unique<Impl>();
  impl->root = Compiler(source, impl->nodes).compile_root(source.parse());
  return JsonSchema(std::move(impl));
}

std::vector<SchemaIssue> JsonSchema::validate(const json& value) const { return issues_of(*impl_->root, value, ""); }

std::map<std::string, std::vector<std::string>> JsonSchema::sets() const {
  std::map<std::string, std::vector<std::string>> result;
  for (const auto& [name, node] : impl_->root->properties) {
    if (!node->sets.empty()) result[name] = node->sets;
  }
  return result;
}

}  // namespace kiln

#include <algorithm>

#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/hcl/functions.hpp"
#include "builder/definitions/hcl/pattern.hpp"

namespace kiln::hcl {

namespace {

using Values = std::vector<Value>;

// How a match is shown: the text where the pattern has no groups, a tuple of unnamed ones, an object of named ones.
class MatchShape {
 public:
  explicit MatchShape(const Pattern& pattern) : names_(pattern.group_names()) {
    const auto unnamed = std::count(names_.begin(), names_.end(), "");
    if (unnamed > 0 && static_cast<std::size_t>(unnamed) < names_.size()) {
      throw ValueError("a pattern cannot have both named and unnamed groups");
    }
    has_names_ = !names_.empty() && unnamed == 0;
  }

  Type type() const {
    if (names_.empty()) return Type::string();
    if (!has_names_) return Type::tuple(std::vector<Type>(names_.size(), Type::string()));
    std::map<std::string, Type> attributes;
    for (const std::string& name : names_) attributes.emplace(name, Type::string());
    return Type::object(std::move(attributes));
  }

  Value value(const std::string& text, const Pattern::Match& match) const {
    const auto part = [&](std::size_t i) {
      if (!match[i]) return Value::null(Type::string());
      return Value::of(text.substr(match[i]->first, match[i]->second - match[i]->first));
    };
    if (names_.empty()) return part(0);
    Values items;
    Value::Members members;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (has_names_) {
        members[names_[i]] = part(i + 1);
      } else {
        items.push_back(part(i + 1));
      }
    }
    return has_names_ ? Value::object(std::move(members)) : Value::tuple(std::move(items));
  }

 private:
  const std::vector<std::string>& names_;
  bool has_names_ = false;
};

Value regex(const Values& arguments) {
  const Pattern pattern(arguments[0].text());
  const MatchShape shape(pattern);
  const Pattern::Match match = pattern.find(arguments[1].text(), 0);
  if (match.empty()) throw ValueError("the pattern matches no part of the text");
  return shape.value(arguments[1].text(), match);
}

Value regexall(const Values& arguments) {
  const Pattern pattern(arguments[0].text());
  const MatchShape shape(pattern);
  Values matches;
  for (const Pattern::Match& match : pattern.find_all(arguments[1].text())) {
    matches.push_back(shape.value(arguments[1].text(), match));
  }
  return Value::list(shape.type(), std::move(matches));
}

// A step is the work of 64 instructions, or the making of one, for this cost included. The search for all matches
// begins anew behind each of them, which costs a little for each byte of the text once more.
std::size_t cost_of_one(const Value& pattern, const Value& text) {
  const std::size_t instructions = Pattern(pattern.text()).size();
  return instructions + instructions * text.text().size() / 64;
}
std::size_t cost_of_all(const Value& pattern, const Value& text) {
  const std::size_t once = cost_of_one(pattern, text);
  return once + once * text.text().size() / 512;
}

}  // namespace

FunctionTable pattern_functions() {
  const Parameter pattern{"pattern", Type::string()}, text{"string", Type::string()};
  return {
      {"regex", {{pattern, text}, {}, regex, [](const Values& v) { return cost_of_one(v[0], v[1]); }}},
      {"regex_replace",
       {{{"str", Type::string()}, pattern, {"replace", Type::string()}},
        {},
        [](const Values& v) { return Value::of(Pattern(v[1].text()).replace_all(v[0].text(), v[2].text())); },
        [](const Values& v) { return cost_of_all(v[1], v[0]); }}},
      {"regexall", {{pattern, text}, {}, regexall, [](const Values& v) { return cost_of_all(v[0], v[1]); }}},
  };
}

}  // namespace kiln::hcl

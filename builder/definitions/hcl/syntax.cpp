#include "builder/definitions/hcl/syntax.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "builder/definitions/hcl/json_reader.hpp"
#include "builder/definitions/hcl/parser.hpp"

namespace kiln::hcl {

namespace {

constexpr std::size_t kMaxBytes = std::size_t{4} << 20;

std::shared_ptr<const Source> make_source(std::string name, std::string text) {
  if (text.size() > kMaxBytes) {
    throw Error(Category::usage, fmt::format("'{}' is larger than 4 MiB", printable(name)));
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  return std::make_shared<const Source>(std::move(name), std::move(text));
}

// The objects that a value of JSON is: itself, or those of a list of them.
void collect_objects(const Expression& value, std::vector<const Object*>& into, std::string_view what) {
  if (const auto* object = std::get_if<Object>(&value.node)) {
    into.push_back(object);
  } else if (const auto* list = std::get_if<Tuple>(&value.node)) {
    for (const ExpressionPtr& item : list->items) collect_objects(*item, into, what);
  } else {
    fail(value.place, fmt::format("expected {}", what));
  }
}

const Written& key_of(const Object::Item& item) { return std::get<Written>(item.key->node); }

std::shared_ptr<const Body> json_body(const Expression& value, std::string_view what) {
  auto body = std::make_shared<Body>();
  body->place = value.place;
  body->end = value.place;
  body->is_json = true;
  std::vector<const Object*> objects;
  collect_objects(value, objects, what);
  for (const Object* object : objects) {
    for (const Object::Item& item : object->items) {
      if (key_of(item).text != "//") body->attributes.push_back({key_of(item).text, item.key->place, item.value});
    }
  }
  return body;
}

struct JsonBlocks {
  std::string type;
  Place place;
  std::size_t label_count;
  std::vector<Block>& into;

  void unpack(const Expression& value, const std::vector<std::pair<std::string, Place>>& labels) {
    if (labels.size() < label_count) {
      std::vector<const Object*> objects;
      collect_objects(value, objects, fmt::format("'{}': an object by name", type));
      for (const Object* object : objects) {
        for (const Object::Item& item : object->items) {
          if (key_of(item).text == "//") continue;
          auto next = labels;
          next.emplace_back(key_of(item).text, item.key->place);
          unpack(*item.value, next);
        }
      }
      return;
    }
    if (const auto* list = std::get_if<Tuple>(&value.node)) {
      for (const ExpressionPtr& item : list->items) add(*item, labels);
      return;
    }
    const auto* literal = std::get_if<Literal>(&value.node);
    if (literal == nullptr || !literal->value.is_null()) add(value, labels);
  }

  void add(const Expression& value, const std::vector<std::pair<std::string, Place>>& labels) {
    Block block{type, {}, place, labels.empty() ? place : labels.front().second, nullptr};
    for (const auto& [label, at] : labels) block.labels.push_back(label);
    const std::string what = labels.empty() ? fmt::format("'{}': an object", type)
                                            : fmt::format("{} '{}': an object", type, printable(block.labels.front()));
    block.body = json_body(value, what);
    into.push_back(std::move(block));
  }
};

}  // namespace

std::optional<std::string> keyword_of(const Expression& expression) {
  if (const auto* variable = std::get_if<Variable>(&expression.node)) return variable->name;
  if (const auto* written = std::get_if<Written>(&expression.node)) return written->text;
  const auto* literal = std::get_if<Literal>(&expression.node);
  if (literal == nullptr) return std::nullopt;
  if (literal->value.is_null()) return "null";
  if (literal->value.is(Value::Kind::boolean)) return literal->value.boolean() ? "true" : "false";
  return std::nullopt;
}

const NamedExpression* Body::find(const std::string& name) const {
  const NamedExpression* result = nullptr;
  for (const NamedExpression& attribute : attributes) {
    if (attribute.name != name) continue;
    if (result != nullptr) {
      fail(attribute.place,
           fmt::format("the key '{}' was already there in line {}", printable(name), result->place.line()));
    }
    result = &attribute;
  }
  return result;
}

std::vector<Block> Body::blocks_of(const std::string& type, std::size_t label_count) const {
  std::vector<Block> result;
  if (is_json) {
    for (const NamedExpression& member : attributes) {
      if (member.name == type) JsonBlocks{type, member.place, label_count, result}.unpack(*member.value, {});
    }
    return result;
  }
  for (const Block& block : blocks) {
    if (block.type != type) continue;
    if (block.labels.size() != label_count) {
      fail(block.place, label_count == 0
                            ? fmt::format("'{}' takes no name", type)
                            : fmt::format("expected one name behind '{}', as in '{} \"NAME\" {{'", type, type));
    }
    result.push_back(block);
  }
  return result;
}

Document parse_native(std::string name, std::string text) {
  Document document{make_source(std::move(name), std::move(text)), nullptr};
  Parser parser(*document.source, document.source->text(), 0);
  document.body = parser.body(false);
  return document;
}

Document parse_json_syntax(std::string name, std::string text) {
  Document document{make_source(std::move(name), std::move(text)), nullptr};
  const ExpressionPtr value = JsonReader(*document.source).read();
  document.body = json_body(*value, "an object");
  return document;
}

ExpressionPtr spelled_expression(const ExpressionPtr& expression) {
  const auto* written = std::get_if<Written>(&expression->node);
  if (written == nullptr) return expression;
  return Parser(*expression->place.source, written->text, expression->place.offset + 1).whole_expression();
}

}  // namespace kiln::hcl

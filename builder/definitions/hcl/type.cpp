#include "builder/definitions/hcl/type.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace kiln::hcl {

struct Type::Parts {
  std::vector<Type> elements;  // of a collection the only one
  std::map<std::string, Type> attributes;
  std::set<std::string> optional;
};

Type Type::collection(Kind kind, Type element) {
  Type type(kind);
  auto parts = std::make_shared<Parts>();
  parts->elements.push_back(std::move(element));
  type.parts_ = std::move(parts);
  return type;
}

Type Type::tuple(std::vector<Type> elements) {
  Type type(Kind::tuple);
  auto parts = std::make_shared<Parts>();
  parts->elements = std::move(elements);
  type.parts_ = std::move(parts);
  return type;
}

Type Type::object(std::map<std::string, Type> attributes, std::set<std::string> optional) {
  Type type(Kind::object);
  auto parts = std::make_shared<Parts>();
  parts->attributes = std::move(attributes);
  parts->optional = std::move(optional);
  type.parts_ = std::move(parts);
  return type;
}

const Type& Type::element() const { return parts_->elements.front(); }
const std::vector<Type>& Type::elements() const { return parts_->elements; }
const std::map<std::string, Type>& Type::attributes() const { return parts_->attributes; }
bool Type::is_optional(const std::string& attribute) const { return parts_->optional.contains(attribute); }

Type Type::without_optional() const {
  if (is_collection()) return collection(kind_, element().without_optional());
  if (kind_ == Kind::tuple) {
    std::vector<Type> result;
    for (const Type& type : elements()) result.push_back(type.without_optional());
    return tuple(std::move(result));
  }
  if (kind_ == Kind::object) {
    std::map<std::string, Type> result;
    for (const auto& [name, type] : attributes()) result[name] = type.without_optional();
    return object(std::move(result));
  }
  return *this;
}

std::string Type::name() const {
  switch (kind_) {
    case Kind::dynamic:
      return "dynamic";
    case Kind::boolean:
      return "bool";
    case Kind::number:
      return "number";
    case Kind::string:
      return "string";
    case Kind::list:
      return "list of " + (element().is_dynamic() ? "any single type" : element().name());
    case Kind::set:
      return "set of " + (element().is_dynamic() ? "any single type" : element().name());
    case Kind::map:
      return "map of " + (element().is_dynamic() ? "any single type" : element().name());
    case Kind::tuple:
      return "tuple";
    case Kind::object:
      return "object";
  }
  return "";
}

std::string Type::expression() const {
  switch (kind_) {
    case Kind::dynamic:
      return "any";
    case Kind::list:
      return fmt::format("list({})", element().expression());
    case Kind::set:
      return fmt::format("set({})", element().expression());
    case Kind::map:
      return fmt::format("map({})", element().expression());
    case Kind::tuple: {
      std::vector<std::string> parts;
      for (const Type& type : elements()) parts.push_back(type.expression());
      return fmt::format("tuple([{}])", join(parts, ","));
    }
    case Kind::object: {
      std::vector<std::string> parts;
      for (const auto& [key, type] : attributes()) {
        parts.push_back(fmt::format(
            "{}={}", key, is_optional(key) ? fmt::format("optional({})", type.expression()) : type.expression()));
      }
      return fmt::format("object({{{}}})", join(parts, ","));
    }
    default:
      return name();
  }
}

bool operator==(const Type& a, const Type& b) {
  if (a.kind_ != b.kind_) return false;
  if (a.parts_ == b.parts_) return true;
  return a.parts_->elements == b.parts_->elements && a.parts_->attributes == b.parts_->attributes &&
         a.parts_->optional == b.parts_->optional;
}

}  // namespace kiln::hcl

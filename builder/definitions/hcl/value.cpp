#include "builder/definitions/hcl/value.hpp"

#include <algorithm>
#include <limits>

namespace kiln::hcl {

namespace {

constexpr std::size_t kMaxOwnText = 64;

}  // namespace

// Stays at the largest number rather than begin anew: shared parts grow it without end.
void Value::add_weight(std::size_t weight) noexcept {
  weight_ = weight > std::numeric_limits<std::size_t>::max() - weight_ ? std::numeric_limits<std::size_t>::max()
                                                                       : weight_ + weight;
}

Value Value::null(Type type) {
  Value value;
  value.kind_ = type.kind();
  value.type_ = std::make_shared<const Type>(std::move(type));
  return value;
}

Value Value::of(bool boolean) {
  Value value;
  value.kind_ = Kind::boolean;
  value.data_ = boolean;
  return value;
}

Value Value::of(Number number) {
  Value value;
  value.kind_ = Kind::number;
  value.data_ = std::make_shared<const Number>(std::move(number));
  return value;
}

Value Value::of(std::string text) {
  Value value;
  value.kind_ = Kind::string;
  value.weight_ = weight_of_text(text);
  if (text.size() > kMaxOwnText) {
    value.data_ = std::make_shared<const std::string>(std::move(text));
  } else {
    value.data_ = std::move(text);
  }
  return value;
}

Value Value::list(Type element, Items items) {
  Value value = tuple(std::move(items));
  value.kind_ = Kind::list;
  value.type_ = std::make_shared<const Type>(std::move(element));
  return value;
}

Value Value::set(Type element, Items items) {
  std::sort(items.begin(), items.end(), [](const Value& a, const Value& b) { return compare(a, b) < 0; });
  items.erase(
      std::unique(items.begin(), items.end(), [](const Value& a, const Value& b) { return compare(a, b) == 0; }),
      items.end());
  Value value = list(std::move(element), std::move(items));
  value.kind_ = Kind::set;
  return value;
}

Value Value::map(Type element, Members members) {
  Value value = object(std::move(members));
  value.kind_ = Kind::map;
  value.type_ = std::make_shared<const Type>(std::move(element));
  return value;
}

Value Value::tuple(Items items) {
  Value value;
  value.kind_ = Kind::tuple;
  for (const Value& item : items) value.add_weight(item.weight_);
  value.data_ = std::make_shared<const Items>(std::move(items));
  return value;
}

Value Value::object(Members members) {
  Value value;
  value.kind_ = Kind::object;
  for (const auto& [name, member] : members) {
    value.add_weight(weight_of_text(name));
    value.add_weight(member.weight_);
  }
  value.data_ = std::make_shared<const Members>(std::move(members));
  return value;
}

Type Value::type() const {
  if (is_null()) return type_ ? *type_ : Type();
  switch (kind_) {
    case Kind::boolean:
      return Type::boolean();
    case Kind::number:
      return Type::number();
    case Kind::string:
      return Type::string();
    case Kind::list:
    case Kind::set:
    case Kind::map:
      return Type::collection(kind_, *type_);
    case Kind::tuple: {
      std::vector<Type> types;
      for (const Value& item : items()) types.push_back(item.type());
      return Type::tuple(std::move(types));
    }
    case Kind::object: {
      std::map<std::string, Type> types;
      for (const auto& [name, member] : members()) types.emplace(name, member.type());
      return Type::object(std::move(types));
    }
    case Kind::dynamic:
      break;
  }
  return {};
}

int Value::compare(const Value& a, const Value& b) {
  if (a.is_null() || b.is_null()) return (b.is_null() ? 1 : 0) - (a.is_null() ? 1 : 0);
  if (a.kind_ != b.kind_) return a.kind_ < b.kind_ ? -1 : 1;
  if (a.kind_ == Kind::boolean) return (a.boolean() ? 1 : 0) - (b.boolean() ? 1 : 0);
  if (a.kind_ == Kind::string) return a.text().compare(b.text());
  if (a.kind_ == Kind::number) return a.number() < b.number() ? -1 : a.number() == b.number() ? 0 : 1;
  if (a.is_sequence()) {
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
      if (const int order = compare(a.items()[i], b.items()[i]); order != 0) return order;
    }
  } else {
    auto left = a.members().begin();
    for (auto right = b.members().begin(); left != a.members().end() && right != b.members().end(); ++left, ++right) {
      if (const int order = left->first.compare(right->first); order != 0) return order;
      if (const int order = compare(left->second, right->second); order != 0) return order;
    }
  }
  return a.size() < b.size() ? -1 : a.size() == b.size() ? 0 : 1;
}

bool operator==(const Value& a, const Value& b) {
  if (a.is_null() || b.is_null()) return a.is_null() && b.is_null();
  if (a.kind_ != b.kind_) return false;
  const bool has_parts = a.is_sequence() || a.is_mapping();
  return Value::compare(a, b) == 0 && (!has_parts || a.type() == b.type());
}

}  // namespace kiln::hcl

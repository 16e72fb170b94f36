#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace kiln::hcl {

// What a value of HCL is, after the type system that its specification names (cty): three primitives, collections of
// one element type, structures whose parts each have their own, and `dynamic` for what may be anything.
class Type {
 public:
  enum class Kind { dynamic, boolean, number, string, list, set, map, tuple, object };

  Type() = default;  // dynamic
  static Type boolean() { return Type(Kind::boolean); }
  static Type number() { return Type(Kind::number); }
  static Type string() { return Type(Kind::string); }
  static Type list(Type element) { return collection(Kind::list, std::move(element)); }
  static Type set(Type element) { return collection(Kind::set, std::move(element)); }
  static Type map(Type element) { return collection(Kind::map, std::move(element)); }
  static Type collection(Kind kind, Type element);
  static Type tuple(std::vector<Type> elements);
  static Type object(std::map<std::string, Type> attributes, std::set<std::string> optional = {});

  Kind kind() const noexcept { return kind_; }
  bool is_dynamic() const noexcept { return kind_ == Kind::dynamic; }
  bool is_primitive() const noexcept {
    return kind_ == Kind::boolean || kind_ == Kind::number || kind_ == Kind::string;
  }
  // list, set, map
  bool is_collection() const noexcept { return kind_ == Kind::list || kind_ == Kind::set || kind_ == Kind::map; }
  const Type& element() const;                            // of a collection
  const std::vector<Type>& elements() const;              // of a tuple
  const std::map<std::string, Type>& attributes() const;  // of an object
  bool is_optional(const std::string& attribute) const;
  Type without_optional() const;

  // As messages and `--list variables` show it: "list of string".
  std::string name() const;
  // As it is written: "list(string)".
  std::string expression() const;

  friend bool operator==(const Type& a, const Type& b);

 private:
  struct Parts;
  explicit Type(Kind kind) : kind_(kind) {}

  Kind kind_ = Kind::dynamic;
  std::shared_ptr<const Parts> parts_;
};

}  // namespace kiln::hcl

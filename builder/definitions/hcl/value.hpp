#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "builder/definitions/hcl/number.hpp"
#include "builder/definitions/hcl/type.hpp"

namespace kiln::hcl {

// A value of HCL. Copies share what they hold, and nothing changes it.
class Value {
 public:
  using Kind = Type::Kind;
  using Items = std::vector<Value>;
  using Members = std::map<std::string, Value>;

  Value() = default;  // null, of no known type
  static Value null(Type type);
  static Value of(bool value);
  static Value of(Number value);
  static Value of(std::int64_t value) { return of(Number(value)); }
  static Value of(std::string value);
  static Value of(std::string_view value) { return of(std::string(value)); }
  static Value of(const char* value) { return of(std::string(value)); }
  static Value list(Type element, Items items);
  static Value set(Type element, Items items);  // sorted, each once
  static Value map(Type element, Members members);
  static Value tuple(Items items);
  static Value object(Members members);

  bool is_null() const noexcept { return std::holds_alternative<std::monostate>(data_); }
  // Of a null the kind of its type.
  Kind kind() const noexcept { return kind_; }
  Type type() const;
  bool is(Kind kind) const noexcept { return kind_ == kind && !is_null(); }
  // A list, set or tuple that is not null; likewise a map or object.
  bool is_sequence() const noexcept { return std::holds_alternative<std::shared_ptr<const Items>>(data_); }
  bool is_mapping() const noexcept { return std::holds_alternative<std::shared_ptr<const Members>>(data_); }

  bool boolean() const { return std::get<bool>(data_); }
  const Number& number() const { return *std::get<std::shared_ptr<const Number>>(data_); }
  const std::string& text() const {
    const auto* shared = std::get_if<std::shared_ptr<const std::string>>(&data_);
    return shared != nullptr ? **shared : std::get<std::string>(data_);
  }
  const Items& items() const { return *std::get<std::shared_ptr<const Items>>(data_); }
  const Members& members() const { return *std::get<std::shared_ptr<const Members>>(data_); }
  std::size_t size() const { return is_sequence() ? items().size() : members().size(); }
  // What it costs to go through all of it: one for itself and one for every 16 bytes of its text or keys, and what its
  // parts cost. Parts that are shared count as often as they are there.
  std::size_t weight() const noexcept { return weight_; }

  // HCL's `==`: values of different types are different, nulls are equal whatever their type.
  friend bool operator==(const Value& a, const Value& b);
  // Some total order, by value where the kinds are the same.
  static int compare(const Value& a, const Value& b);

 private:
  static std::size_t weight_of_text(const std::string& text) noexcept { return 1 + text.size() / 16; }
  void add_weight(std::size_t weight) noexcept;

  Kind kind_ = Kind::dynamic;
  std::size_t weight_ = 1;
  std::shared_ptr<const Type> type_;  // of a null its type, of a collection its element's
  // A long text is shared, a short one is not worth it.
  std::variant<std::monostate, bool, std::string, std::shared_ptr<const std::string>, std::shared_ptr<const Number>,
               std::shared_ptr<const Items>, std::shared_ptr<const Members>>
      data_;
};

}  // namespace kiln::hcl

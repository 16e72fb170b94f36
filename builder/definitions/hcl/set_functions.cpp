#include <fmt/format.h>

#include <algorithm>

#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/hcl/functions.hpp"

namespace kiln::hcl {

namespace {

using Values = std::vector<Value>;

constexpr std::size_t kMaxProduct = 100'000;

bool holds(const Value& set, const Value& item) {
  return std::find(set.items().begin(), set.items().end(), item) != set.items().end();
}

// The sets with one common element type.
std::vector<Value> alike(const Values& sets) {
  std::vector<Type> types;
  for (const Value& set : sets) {
    if (set.size() > 0 || !set.type().element().is_dynamic()) types.push_back(set.type().element());
  }
  const auto element = unify(types, true);
  if (!element) throw ValueError("the sets must have compatible element types");
  Values result;
  for (const Value& set : sets) result.push_back(convert(set, Type::set(*element)));
  return result;
}

Value united(const Values& given) {
  const Values sets = alike(given);
  Values items;
  for (const Value& set : sets) items.insert(items.end(), set.items().begin(), set.items().end());
  return Value::set(sets[0].type().element(), std::move(items));
}

template <class Keep>
Value filtered(const Value& set, Keep&& keep) {
  Values items;
  std::copy_if(set.items().begin(), set.items().end(), std::back_inserter(items), keep);
  return Value::set(set.type().element(), std::move(items));
}

Value intersection(const Values& given) {
  const Values sets = alike(given);
  return filtered(sets[0], [&](const Value& item) {
    return std::all_of(sets.begin(), sets.end(), [&](const Value& set) { return holds(set, item); });
  });
}

Value subtraction(const Values& given) {
  const Values sets = alike(given);
  return filtered(sets[0], [&](const Value& item) { return !holds(sets[1], item); });
}

Value symmetric_difference(const Values& given) {
  const Values sets = alike(given);
  Value result = sets[0];
  for (std::size_t i = 1; i < sets.size(); ++i) {
    const Value left = filtered(result, [&](const Value& item) { return !holds(sets[i], item); });
    const Value right = filtered(sets[i], [&](const Value& item) { return !holds(result, item); });
    result = united({left, right});
  }
  return result;
}

Value cartesian_product(const Values& lists) {
  if (lists.size() < 2) throw ValueError("at least two arguments are required");
  std::size_t total = 1;
  bool are_all_sets = true;
  std::vector<Type> elements;
  for (const Value& list : lists) {
    if (!list.is_sequence()) throw ValueError(fmt::format("expected lists or sets, got {}", list.type().name()));
    are_all_sets = are_all_sets && list.kind() == Type::Kind::set;
    total *= list.size();
    if (total > kMaxProduct) throw ValueError(fmt::format("more than {} combinations", kMaxProduct));
    const Value as_list = convert(list, Type::list(Type()));
    elements.push_back(as_list.type().element());
  }
  Values rows;
  for (std::size_t number = 0; number < total; ++number) {
    Values row(lists.size());
    std::size_t rest = number;
    for (std::size_t i = lists.size(); i-- > 0;) {
      row[i] = convert(lists[i].items()[rest % lists[i].size()], elements[i]);
      rest /= lists[i].size();
    }
    rows.push_back(Value::tuple(std::move(row)));
  }
  Type element = Type::tuple(std::move(elements));
  return are_all_sets ? Value::set(std::move(element), std::move(rows))
                      : Value::list(std::move(element), std::move(rows));
}

}  // namespace

FunctionTable set_functions() {
  // Each item is looked for in the others.
  const auto cost = [](const Values& sets) {
    std::size_t items = 0;
    for (const Value& set : sets) items += set.is_sequence() ? set.size() : 0;
    return items * items / 16;
  };
  const Type set = Type::set(Type());
  const Parameter first{"first_set", set}, others{"other_sets", set};
  return {
      {"sethaselement",
       {{{"set", set}, {"elem", Type()}}, {}, [](const Values& a) { return Value::of(holds(a[0], a[1])); }}},
      {"setintersection", {{first}, others, intersection, cost}},
      {"setproduct", {{}, Parameter{"sets", Type()}, cartesian_product}},
      {"setsubtract", {{{"a", set}, {"b", set}}, {}, subtraction, cost}},
      {"setsymmetricdifference", {{first}, others, symmetric_difference, cost}},
      {"setunion", {{first}, others, united}},
  };
}

}  // namespace kiln::hcl

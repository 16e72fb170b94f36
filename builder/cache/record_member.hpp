#pragma once

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>
#include <type_traits>

#include "base/error.hpp"
#include "base/json_number.hpp"

namespace kiln {

// A member of a record's document. Error{machine} naming `where` where it is missing, of another type, or a number that
// T does not hold.
template <class T>
T record_member(const nlohmann::json& object, const char* key, std::string_view where) {
  const auto refuse = [&]() -> T {
    throw Error(Category::machine, fmt::format("{}: '{}' is missing or of another type", where, key));
  };
  try {
    const nlohmann::json& value = object.at(key);
    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
      const auto number = json_number<T>(value);
      return number ? *number : refuse();
    } else {
      return value.get<T>();
    }
  } catch (const nlohmann::json::exception&) {
    return refuse();
  }
}

}  // namespace kiln

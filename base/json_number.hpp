#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <type_traits>
#include <utility>

namespace kiln {

// What a JSON value says, where it is such a number and small enough; a fraction is no integer.
std::optional<std::int64_t> json_integer(const nlohmann::json& value);
std::optional<std::uint64_t> json_unsigned(const nlohmann::json& value);
std::optional<double> json_double(const nlohmann::json& value);

// The same as a T. nlohmann's own get<int>() casts whatever number there is, and to cast 1e70 is undefined behaviour.
template <class T>
std::optional<T> json_number(const nlohmann::json& value) {
  static_assert(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>);
  if constexpr (std::is_floating_point_v<T>) {
    return json_double(value);
  } else {
    const auto number = [&] {
      if constexpr (std::is_unsigned_v<T>) return json_unsigned(value);
      if constexpr (std::is_signed_v<T>) return json_integer(value);
    }();
    return number && std::in_range<T>(*number) ? std::optional(static_cast<T>(*number)) : std::nullopt;
  }
}

}  // namespace kiln

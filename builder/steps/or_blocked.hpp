#pragma once

#include <map>
#include <string>
#include <utility>
#include <variant>

namespace kiln {

// Why a part of a build cannot be had now, although nothing failed. Steps whose layers a cache promised and no place
// has (their text by their key): with these executed again the build can go on. No steps: one was looked up only, and
// no cache has it.
//
// A layer about which a cache said something false is as good as lost: `lies` says what, by the same keys. Of a base
// image's layer the key is that of its file index in the cache, and what was evaluated with it is evaluated again.
struct Blocked {
  std::map<std::string, std::string> lost;
  std::map<std::string, std::string> lies = {};

  void add(const Blocked& other) {
    lost.insert(other.lost.begin(), other.lost.end());
    lies.insert(other.lies.begin(), other.lies.end());
  }
  bool operator==(const Blocked&) const = default;
};

// A value, or what stands in its way.
template <class Value>
class OrBlocked {
 public:
  OrBlocked(Value value) : content_(std::move(value)) {}
  OrBlocked(Blocked blocked) : content_(std::move(blocked)) {}

  bool is_blocked() const noexcept { return std::holds_alternative<Blocked>(content_); }
  const Blocked& blocked() const { return std::get<Blocked>(content_); }
  Value& value() & { return std::get<Value>(content_); }
  const Value& value() const& { return std::get<Value>(content_); }
  Value&& value() && { return std::get<Value>(std::move(content_)); }

 private:
  std::variant<Value, Blocked> content_;
};

}  // namespace kiln

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace kiln {

// Typed access to the members of one JSON object of a document that may hold anything. A getter whose name ends in
// "_or" takes a member that is missing or null for its fallback; the others refuse that. What the Error looks like is
// for the document's owner to say. Borrows the value and the function.
class JsonMembers {
 public:
  // Called with the RFC 6901 pointer of what is wrong and with the problem ("expected a string"); must throw.
  using Refuse = std::function<void(const std::string& pointer, const std::string& problem)>;

  // A Refuse that throws Error{category} "WHERE: 'config/Env': PROBLEM".
  static Refuse refusal(std::string_view where, Category category);

  // Refuses what is no object.
  JsonMembers(const nlohmann::json& value, const Refuse& refuse, std::string pointer = {});
  JsonMembers(const nlohmann::json& value, Refuse&& refuse, std::string pointer = {}) = delete;  // would dangle

  // Whether the member is there and not null.
  bool has(const char* key) const { return find(key) != nullptr; }
  const nlohmann::json* find(const char* key) const;

  std::string string(const char* key) const;
  std::string string_or(const char* key, const std::string& fallback = {}) const;
  bool boolean(const char* key) const;
  bool boolean_or(const char* key, bool fallback) const;
  // From the smallest to the largest of 64 bits, with its sign.
  std::int64_t integer_or(const char* key, std::int64_t fallback) const;
  std::uint64_t unsigned_integer(const char* key) const;
  std::uint64_t unsigned_integer_or(const char* key, std::uint64_t fallback) const;
  int small_integer(const char* key) const;  // from 0 to 2^31 - 1
  double number(const char* key) const;
  // The member must be there; null means none.
  std::optional<double> number_or_null(const char* key) const;
  std::vector<double> numbers(const char* key) const;
  std::vector<std::string> strings(const char* key) const;
  std::vector<std::string> strings_or_none(const char* key) const;
  std::map<std::string, std::string> string_map_or_none(const char* key) const;
  // The keys of an object such as {"80/tcp": {}}.
  std::set<std::string> keys_or_none(const char* key) const;

  const nlohmann::json& value() const noexcept { return value_; }
  JsonMembers object(const char* key) const;
  // Calls `body` with the members of each object of a list.
  void each(const char* key, const std::function<void(const JsonMembers&)>& body) const;
  void each_or_none(const char* key, const std::function<void(const JsonMembers&)>& body) const;
  // Calls `body` with the name and the members of each object that this object holds.
  void each_member(const std::function<void(const std::string& name, const JsonMembers&)>& body) const;

  // Refuses a member that is not among the known ones, with the nearest of them.
  void only(const std::vector<std::string>& known) const;
  // The same, and each of these must be there.
  void exactly(const std::vector<std::string>& keys) const;

  [[noreturn]] void refuse(std::string_view key, const std::string& problem) const;
  [[noreturn]] void refuse(const std::string& problem) const;  // the object itself

 private:
  const nlohmann::json& at(const char* key) const;
  const nlohmann::json& list(const char* key) const;

  const nlohmann::json& value_;
  const Refuse& refuse_;
  std::string pointer_;
};

// An RFC 6901 pointer to a member: PARENT/KEY with the key escaped.
std::string child_pointer(std::string_view parent, std::string_view key);
std::string child_pointer(std::string_view parent, std::size_t index);

}  // namespace kiln

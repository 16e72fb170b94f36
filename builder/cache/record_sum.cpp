#include "builder/cache/record_sum.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

namespace {

using nlohmann::json;

std::string canonical_text(const json& value) { return json_text(value); }
std::string sum_of(const json& value) { return std::string(oci::sha256_of(canonical_text(value)).hex()); }

}  // namespace

std::string dump_with_sum(json value) {
  value["sum"] = sum_of(value);
  return canonical_text(value);
}

void check_sum(json& value, std::string_view where, Category category) {
  const auto sum = value.is_object() ? value.find("sum") : value.end();
  if (sum == value.end() || !sum->is_string()) throw Error(category, fmt::format("{}: 'sum' is missing", where));
  const std::string expected = sum->get<std::string>();
  value.erase(sum);
  if (sum_of(value) != expected) throw Error(category, fmt::format("{} is damaged: its sum is another one", where));
}

}  // namespace kiln

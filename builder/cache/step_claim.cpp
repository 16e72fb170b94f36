#include "builder/cache/step_claim.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

namespace {

constexpr std::size_t kMaxClaimBytes = 4096;
constexpr std::size_t kHolderDigits = 32;

bool is_holder(const std::string& text) {
  return text.size() == kHolderDigits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

std::string claim_key(std::string_view step_key) {
  return std::string(oci::sha256_of(fmt::format("kiln claim 1\n{}\n", step_key)).hex());
}

std::string serialise(const StepClaim& claim, std::string_view step_key) {
  return json_text(nlohmann::json{
      {"version", 1}, {"key", step_key}, {"holder", claim.holder}, {"beat", claim.beat}, {"over", claim.is_over}});
}

StepClaim parse_step_claim(std::string_view text, std::string_view step_key, std::string_view where) {
  const nlohmann::json value = parse_json(text, where, Category::network, {.max_bytes = kMaxClaimBytes});
  const auto need = [&](bool is_right) {
    if (!is_right) throw Error(Category::network, fmt::format("{}: it is no claim of this step", where));
  };
  need(value.is_object() && value.contains("version") && value["version"] == 1);
  need(value.contains("key") && value["key"] == step_key);
  need(value.contains("holder") && value["holder"].is_string() && value.contains("beat") &&
       value["beat"].is_number_unsigned());
  StepClaim claim{value["holder"].get<std::string>(), value["beat"].get<unsigned long long>()};
  if (const auto over = value.find("over"); over != value.end() && over->is_boolean())
    claim.is_over = over->get<bool>();
  need(is_holder(claim.holder));
  return claim;
}

}  // namespace kiln

#include "builder/solve/secret_values.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/credentials.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::size_t kFewCharacters = 6;

bool is_switch(const std::string& value) {
  constexpr std::array<std::string_view, 8> kSwitches = {"true", "false", "yes", "no", "on", "off", "none", "basic"};
  return std::find(kSwitches.begin(), kSwitches.end(), to_lower(value)) != kSwitches.end();
}

bool is_of_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

bool is_whole_word(std::string_view text, std::size_t at, std::size_t size) {
  return (at == 0 || !is_of_word(text[at - 1])) && (at + size == text.size() || !is_of_word(text[at + size]));
}

}  // namespace

SecretValues::SecretValues(const dockerfile::BuildArgs& args) { add(args); }

void SecretValues::add(const dockerfile::BuildArgs& args) {
  for (const auto& [name, value] : args) {
    if (value.empty() || !looks_like_secret(name) || is_switch(value)) continue;
    // As it is, and as messages quote it.
    for (const std::string& shown : {value, printable(value)}) {
      if (std::find(values_.begin(), values_.end(), shown) == values_.end()) values_.push_back(shown);
    }
  }
  sort_for_masking(values_);
}

std::string SecretValues::masked(std::string_view text) const {
  std::string result(text);
  for (const std::string& value : values_) {
    result = with_mask_for(result, value, [&](std::size_t at, std::size_t size) {
      return value.size() >= kFewCharacters || is_whole_word(result, at, size);
    });
  }
  return result;
}

std::vector<RawInput> SecretValues::masked(std::vector<RawInput> inputs) const {
  if (values_.empty()) return inputs;
  for (RawInput& input : inputs) {
    input.name = masked(input.name);
    input.about = masked(input.about);
    if (input.may_be_shown) input.may_be_shown = masked(input.value) == input.value;
  }
  return inputs;
}

Error SecretValues::masked(const Error& error) const {
  return Error(error.category(), masked(error.message())).set_detail(masked(error.detail()));
}

SecretValues secrets_of(const Plan& plan) {
  SecretValues secrets;
  for (const auto& planned : plan.targets) secrets.add(planned->scope->build_args());
  return secrets;
}

}  // namespace kiln

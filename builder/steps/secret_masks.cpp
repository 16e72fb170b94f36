#include "builder/steps/secret_masks.hpp"

#include <algorithm>
#include <cctype>

#include "base/base64.hpp"
#include "base/percent.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::size_t kLeastBytes = 4;
constexpr std::size_t kLeastWordBytes = 8;
constexpr std::string_view kMask = "***";

// Of words in files of secrets, from the coarsest on: a token may hold what delimits another.
constexpr std::string_view kDelimiters[] = {" \t\r\n\"'`,;()[]{}<>",
                                            " \t\r\n\"'`,;()[]{}<>=:", " \t\r\n\"'`,;()[]{}<>=:/@?&#|"};

// "pypi.example": a file of secrets says for which host they are, and what is recorded is there to name it.
bool is_host_name(std::string_view word) {
  const std::size_t dot = word.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  const std::string_view last = word.substr(dot + 1);
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_of_host = [&](char c) { return is_lower(c) || (c >= '0' && c <= '9') || c == '-' || c == '.'; };
  return last.size() >= 2 && std::all_of(last.begin(), last.end(), is_lower) &&
         std::all_of(word.begin(), word.end(), is_of_host);
}

// The digits of base64 that `text` alone decides where `before` bytes of a group of three stand before it.
std::string base64_inside(std::string_view text, std::size_t before) {
  std::string digits = base64_encoded(std::string(before, '\0').append(text));
  const std::size_t whole = (before + text.size()) * 8 / 6;
  return digits.substr(0, whole).substr(before == 0 ? 0 : before + 1);
}

std::string with_other_alphabet(std::string digits) {
  std::replace(digits.begin(), digits.end(), '+', '-');
  std::replace(digits.begin(), digits.end(), '/', '_');
  return digits;
}

struct Decoded {
  std::string bytes;                // in lower case
  std::vector<std::size_t> places;  // of each in the text, and the text's end
};

Decoded decoded(std::string_view text) {
  Decoded result;
  for (std::size_t at = 0; at < text.size();) {
    const auto encoded =
        text[at] == '%' && at + 2 < text.size() ? parse_unsigned(text.substr(at + 1, 2), 16) : std::nullopt;
    const auto byte = encoded ? static_cast<unsigned char>(*encoded) : static_cast<unsigned char>(text[at]);
    result.bytes += static_cast<char>(std::tolower(byte));
    result.places.push_back(at);
    at += encoded ? 3 : 1;
  }
  result.places.push_back(text.size());
  return result;
}

}  // namespace

void SecretMasks::add(std::string_view secret) {
  add_text(trim(secret));
  for (const std::string_view line : split(secret, '\n')) add_text(trim(line));
  for (const std::string_view delimiters : kDelimiters) {
    for (std::size_t begin = 0; begin < secret.size();) {
      const std::size_t end = std::min(secret.find_first_of(delimiters, begin), secret.size());
      const std::string_view word = secret.substr(begin, end - begin);
      if (word.size() >= kLeastWordBytes && !is_host_name(word)) add_text(word);
      begin = end + 1;
    }
  }
}

void SecretMasks::add_text(std::string_view text) {
  if (text.size() < kLeastBytes) return;
  add_pattern(text);
  for (std::size_t before = 0; before < 3; ++before) {
    const std::string digits = base64_inside(text, before);
    add_pattern(digits);
    add_pattern(with_other_alphabet(digits));
  }
}

void SecretMasks::add_pattern(std::string_view pattern) {
  // As it is, and as one reads it who takes a '%' of it for an encoding.
  for (const std::string& form : {to_lower(pattern), decoded(pattern).bytes}) {
    if (form.size() >= kLeastBytes) patterns_[form.substr(0, kLeastBytes)].insert(form);
  }
}

std::string SecretMasks::masked(std::string_view text) const {
  const auto [bytes, places] = decoded(text);
  std::string result;
  std::size_t begin = 0;  // of what is not in the result
  for (std::size_t at = 0; at + kLeastBytes <= bytes.size();) {
    std::size_t size = 0;
    const std::string_view rest = std::string_view(bytes).substr(at);
    if (const auto found = patterns_.find(std::string(rest.substr(0, kLeastBytes))); found != patterns_.end()) {
      for (const std::string& pattern : found->second) {
        if (rest.starts_with(pattern)) size = std::max(size, pattern.size());
      }
    }
    if (size == 0) {
      ++at;
      continue;
    }
    result += text.substr(begin, places[at] - begin);
    result += kMask;
    at += size;
    begin = places[at];
  }
  return result += text.substr(begin);
}

}  // namespace kiln

#include "base/percent.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace kiln {

std::string percent_encoded(std::string_view text, std::string_view kept) {
  std::string result;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~' || kept.find(c) != std::string_view::npos;
    if (plain) {
      result += c;
    } else {
      result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return result;
}

std::string percent_decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = text[i] == '%' && text.size() - i > 2 ? parse_unsigned(text.substr(i + 1, 2), 16) : std::nullopt;
    if (byte) {
      result += static_cast<char>(*byte);
      i += 2;
    } else {
      result += text[i];
    }
  }
  return result;
}

}  // namespace kiln

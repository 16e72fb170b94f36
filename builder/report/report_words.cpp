#include "builder/report/report_words.hpp"

#include <fmt/format.h>

#include "base/join_first.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"

namespace kiln {

std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t kAll = 4, kSome = 2;
  if (names.size() <= kAll) return join(names, ", ");
  return join_first(names, kSome);
}

std::string shown_instruction(std::string_view text) {
  if (!text.starts_with("RUN ")) return printable(text);
  std::string_view rest = text.substr(4);
  while (rest.starts_with("--mount=")) {
    const std::size_t end = rest.find(' ');
    if (end == std::string_view::npos) return printable(text);
    rest = trim(rest.substr(end));
  }
  return "RUN " + printable(rest);
}

std::string shown_layer(std::string_view text) {
  constexpr std::string_view kMark = " # ";
  const std::size_t mark = text.rfind(kMark);
  if (!text.starts_with("RUN ") || mark == std::string_view::npos) return shown_instruction(text);
  return printable(text.substr(mark + kMark.size())) + ": " + shown_instruction(text.substr(0, mark));
}

std::string shortened(std::string text, std::size_t most_bytes) {
  if (text.size() <= most_bytes) return text;
  return text.substr(0, character_start(text, most_bytes)) + " ...";
}

std::string shown_reason(std::string_view text) { return shortened(printable(text), 240); }

std::string shown_name(const ReportImage& image) {
  if (image.name.empty()) return image.digest.short_hex();
  return printable(image.profile.empty() ? image.name : image.name + " " + image.profile);
}

std::string shown_percent(const std::optional<double>& value) { return value ? fmt::format("{:.1f} %", *value) : "-"; }

std::string shown_place(const std::string& file, int line) {
  if (file.empty()) return "";
  return printable(line > 0 ? fmt::format("{}:{}", file, line) : file);
}

}  // namespace kiln

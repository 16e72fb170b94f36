#include "builder/report/text_table.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "base/text.hpp"
#include "base/utf8.hpp"

namespace kiln {

namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kLeastFlexible = 8;

const char* code_of(TextStyle style) {
  switch (style) {
    case TextStyle::normal:
      return "";
    case TextStyle::bold:
      return "\x1b[1m";
    case TextStyle::dim:
      return "\x1b[2m";
    case TextStyle::good:
      return "\x1b[32m";
    case TextStyle::bad:
      return "\x1b[31m";
  }
  return "";
}

}  // namespace

std::string styled(std::string_view text, TextStyle style, Colour colour) {
  if (colour == Colour::no || style == TextStyle::normal || text.empty()) return std::string(text);
  return std::string(code_of(style)) + std::string(text) + "\x1b[0m";
}

std::vector<std::string> wrapped(std::string_view text, std::size_t columns) {
  std::vector<std::string> lines;
  std::string line;
  for (const std::string_view word : split(text, ' ')) {
    if (word.empty()) continue;
    const std::size_t width = display_width(line);
    if (!line.empty() && width + 1 + display_width(word) > columns) lines.push_back(std::exchange(line, {}));
    if (!line.empty()) line += ' ';
    line += fit_width(word, columns);
  }
  if (!line.empty()) lines.push_back(std::move(line));
  return lines;
}

TextTable::TextTable(std::vector<Align> columns, std::size_t flexible)
    : columns_(std::move(columns)), flexible_(flexible) {
  if (flexible_ >= columns_.size()) throw std::out_of_range("a table has no such column to give way");
}

void TextTable::add(std::vector<TextCell> row) {
  row.resize(columns_.size());
  rows_.push_back(std::move(row));
}

std::string TextTable::render(std::size_t width, std::size_t indent, Colour colour) const {
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i].text));
  }
  std::size_t others = indent + kGap * (columns_.size() - 1);
  for (std::size_t i = 0; i < widths.size(); ++i) others += i == flexible_ ? 0 : widths[i];
  const std::size_t room = std::max(kLeastFlexible, width - std::min(width, others));
  widths[flexible_] = std::min(widths[flexible_], room);

  std::string out;
  for (const auto& row : rows_) {
    std::size_t last = row.size();
    while (last > 0 && row[last - 1].text.empty()) --last;
    out.append(last == 0 ? 0 : indent, ' ');
    for (std::size_t i = 0; i < last; ++i) {
      const std::string text = i == flexible_ ? fit_width(row[i].text, widths[i]) : row[i].text;
      const std::string padding(widths[i] - std::min(widths[i], display_width(text)), ' ');
      if (columns_[i] == Align::right) out += padding;
      out += styled(text, row[i].style, colour);
      if (i + 1 == last) break;
      if (columns_[i] == Align::left) out += padding;
      out.append(kGap, ' ');
    }
    out += '\n';
  }
  return out;
}

}  // namespace kiln

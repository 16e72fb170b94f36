#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/terminal_text.hpp"

namespace kiln {

enum class TextStyle { normal, bold, dim, good, bad };

// The text in ANSI colours, or as it is.
std::string styled(std::string_view text, TextStyle style, Colour colour);

// A text broken at spaces into lines of at most `columns`; a word that is longer is cut.
std::vector<std::string> wrapped(std::string_view text, std::size_t columns);

struct TextCell {
  std::string text;
  TextStyle style = TextStyle::normal;
};

// Rows of cells in aligned columns, two spaces apart. Exactly one column, the flexible one, is cut where a row would
// be wider than allowed. Trailing spaces are left out.
class TextTable {
 public:
  enum class Align { left, right };

  // `flexible` is the index of the column that gives way; std::out_of_range where there is no such column.
  TextTable(std::vector<Align> columns, std::size_t flexible);

  void add(std::vector<TextCell> row);
  // Lines that begin with `indent` spaces and are at most `width` columns wide, each with a newline.
  std::string render(std::size_t width, std::size_t indent, Colour colour) const;
  bool empty() const noexcept { return rows_.empty(); }

 private:
  std::vector<Align> columns_;
  std::size_t flexible_;
  std::vector<std::vector<TextCell>> rows_;
};

}  // namespace kiln

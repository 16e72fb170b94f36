#include "base/paragraphs.hpp"

#include "base/text.hpp"

namespace kiln {

std::string_view Paragraph::value(std::string_view key) const {
  for (const Field& field : fields_) {
    if (equals_ignoring_case(field.key, key)) return field.value;
  }
  return {};
}

std::vector<std::string_view> Paragraph::values(std::string_view key) const {
  std::vector<std::string_view> found;
  for (const Field& field : fields_) {
    if (equals_ignoring_case(field.key, key)) found.push_back(field.value);
  }
  return found;
}

void read_paragraphs(std::string_view text, const std::function<bool(const Paragraph&)>& visit) {
  Paragraph paragraph;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) {
      if (!paragraph.fields_.empty() && !visit(paragraph)) return;
      paragraph.fields_.clear();
    } else if (line.front() == ' ' || line.front() == '\t') {
      if (paragraph.fields_.empty()) continue;
      (paragraph.fields_.back().value += '\n') += trim(line);
    } else if (const std::size_t colon = line.find(':');
               colon != std::string_view::npos && colon > 0 && paragraph.fields_.size() < Paragraph::kMaxFields) {
      paragraph.fields_.push_back({std::string(line.substr(0, colon)), std::string(trim(line.substr(colon + 1)))});
    }
  }
  if (!paragraph.fields_.empty()) visit(paragraph);
}

Paragraph first_paragraph(std::string_view text) {
  Paragraph first;
  read_paragraphs(text, [&](const Paragraph& paragraph) {
    first = paragraph;
    return false;
  });
  return first;
}

}  // namespace kiln

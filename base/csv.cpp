#include "base/csv.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

std::vector<std::string> csv_fields(std::string_view text, std::string_view subject) {
  const auto refuse = [subject](std::string_view problem, std::string_view where) {
    throw Error(Category::usage, fmt::format("{}: {} '{}'", subject, problem, printable(where)));
  };
  std::vector<std::string> fields;
  for (std::size_t at = 0;; ++at) {
    std::string field;
    if (at < text.size() && text[at] == '"') {
      for (++at;; ++at) {
        if (at >= text.size()) refuse("missing closing quote in", text);
        const bool is_quote = text[at] == '"';
        if (is_quote && !text.substr(at + 1).starts_with('"')) break;
        if (is_quote) ++at;
        field += text[at];
      }
      ++at;
      if (at < text.size() && text[at] != ',') refuse("text behind a closing quote in", text);
    } else {
      const std::size_t end = std::min(text.find(',', at), text.size());
      field = text.substr(at, end - at);
      if (field.find('"') != std::string::npos) refuse("a quote inside of", field);
      at = end;
    }
    fields.push_back(std::move(field));
    if (at >= text.size()) return fields;
  }
}

}  // namespace kiln

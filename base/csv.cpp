#include "base/csv.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

CsvRecord read_csv_record(std::string_view text, std::size_t at, CsvLineEnds line_ends) {
  CsvRecord record;
  const auto at_end = [&] {
    if (at >= text.size()) return true;
    if (line_ends == CsvLineEnds::are_text) return false;
    return text[at] == '\n' || text.substr(at).starts_with("\r\n");
  };
  const auto fails = [&](CsvRecord::Fault fault, std::string field) {
    record.fault = fault;
    record.bad_field = std::move(field);
    return record;
  };
  for (;; ++at) {
    std::string field;
    if (at < text.size() && text[at] == '"') {
      for (++at;; ++at) {
        if (at >= text.size()) return fails(CsvRecord::Fault::open_quote, std::move(field));
        const bool is_quote = text[at] == '"';
        if (is_quote && !text.substr(at + 1).starts_with('"')) break;
        if (is_quote) ++at;
        field += text[at];
      }
      ++at;
      if (!at_end() && text[at] != ',') return fails(CsvRecord::Fault::text_behind_quote, std::move(field));
    } else {
      while (!at_end() && text[at] != ',') field += text[at++];
      if (field.find('"') != std::string::npos) return fails(CsvRecord::Fault::quote_inside, std::move(field));
    }
    record.fields.push_back(std::move(field));
    if (at_end()) break;
  }
  record.end = at;
  return record;
}

std::vector<std::string> csv_fields(std::string_view text, std::string_view subject) {
  CsvRecord record = read_csv_record(text, 0, CsvLineEnds::are_text);
  const auto refuse = [subject](std::string_view problem, std::string_view where) {
    throw Error(Category::usage, fmt::format("{}: {} '{}'", subject, problem, printable(where)));
  };
  if (record.fault) {
    switch (*record.fault) {
      case CsvRecord::Fault::open_quote:
        refuse("missing closing quote in", text);
        break;
      case CsvRecord::Fault::text_behind_quote:
        refuse("text behind a closing quote in", text);
        break;
      case CsvRecord::Fault::quote_inside:
        refuse("a quote inside of", record.bad_field);
        break;
    }
  }
  return std::move(record.fields);
}

}  // namespace kiln

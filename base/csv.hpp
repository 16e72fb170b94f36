#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

// One record of CSV (RFC 4180) as Go's encoding/csv reads it. A field that begins with a quote goes on to the closing
// one and may hold commas, line ends, and quotes doubled.
struct CsvRecord {
  enum class Fault { open_quote, text_behind_quote, quote_inside };

  std::vector<std::string> fields;
  std::size_t end = 0;         // where what is behind it begins: its line end, or the end of the text
  std::optional<Fault> fault;  // then `fields` are those before it,
  std::string bad_field;       // and this is the one with a quote inside of it
};
enum class CsvLineEnds { end_a_record, are_text };
// The record that begins at `at`.
CsvRecord read_csv_record(std::string_view text, std::size_t at, CsvLineEnds line_ends);

// The fields of a text that is one record, which is how docker's options with several values are written:
// `type=local,"dest=a,b"`. An empty text is one empty field. Error{usage} that begins
// with `subject` ("--mount") for a quote that is not closed and for one that stands elsewhere.
std::vector<std::string> csv_fields(std::string_view text, std::string_view subject);

}  // namespace kiln

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kiln {

// The fields of one CSV record (RFC 4180), which is how docker's options with several values are written:
// `type=local,"dest=a,b"`. A field that begins with a quote goes on to the closing one and may hold commas, and quotes
// doubled. An empty text is one empty field. Error{usage} that begins with `subject` ("--mount") for a quote that is
// not closed and for one that stands elsewhere, as Go's encoding/csv refuses it.
std::vector<std::string> csv_fields(std::string_view text, std::string_view subject);

}  // namespace kiln

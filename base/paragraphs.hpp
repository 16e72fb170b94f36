#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

// The fields of one paragraph "Key: value", in their order. What continues on lines that begin with a space is one
// value with newlines in it. Borrows nothing.
class Paragraph {
 public:
  struct Field {
    std::string key;
    std::string value;
  };
  static constexpr std::size_t kMaxFields = 1'000'000;

  const std::vector<Field>& fields() const noexcept { return fields_; }
  // The first of that key, upper and lower case alike; "" where there is none.
  std::string_view value(std::string_view key) const;
  std::vector<std::string_view> values(std::string_view key) const;

 private:
  friend void read_paragraphs(std::string_view, const std::function<bool(const Paragraph&)>&);
  std::vector<Field> fields_;
};

// Reads the form that dpkg's status, apk's list of what is installed and the headers of Python's METADATA have in
// common: paragraphs, parted by empty lines. Lines that are neither a field nor a continuation are passed over. `visit`
// returns false to read no further.
void read_paragraphs(std::string_view text, const std::function<bool(const Paragraph&)>& visit);
// The first one alone.
Paragraph first_paragraph(std::string_view text);

}  // namespace kiln

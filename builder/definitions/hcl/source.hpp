#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kiln::hcl {

// The text of a definition file. What is read from it points back into it, so it lives at least as long.
class Source {
 public:
  // `name` is the file as messages show it.
  Source(std::string name, std::string text) : name_(std::move(name)), text_(std::move(text)) {}

  const std::string& name() const noexcept { return name_; }
  const std::string& text() const noexcept { return text_; }

 private:
  std::string name_;
  std::string text_;
};

// A place in a source, by its byte.
struct Place {
  const Source* source = nullptr;
  std::uint32_t offset = 0;

  // Lines and columns count from 1, columns in characters.
  int line() const;
  int column() const;
  // "FILE:LINE:COLUMN"
  std::string str() const;
};

// Error{usage} "FILE:LINE:COLUMN: MESSAGE" with the line and a mark below the column as its detail; of no
// source the message alone.
[[noreturn]] void fail(const Place& place, std::string_view message);

}  // namespace kiln::hcl

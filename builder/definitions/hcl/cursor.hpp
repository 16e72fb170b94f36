#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "builder/definitions/hcl/syntax.hpp"

namespace kiln::hcl {

inline constexpr int kMaxParseDepth = 200;

// Where a parser of the native syntax is in a text, and what it asks of the characters there.
class Cursor {
 protected:
  // `text` may be a decoded string of the source: offsets are then shifted to where it stands there.
  Cursor(const Source& source, std::string_view text, std::uint32_t base_offset)
      : source_(source), text_(text), base_offset_(base_offset) {}
  ~Cursor() = default;

  // Bounds how deep rules call one another, so that no text exhausts the stack.
  class Depth {
   public:
    explicit Depth(Cursor& cursor);
    ~Depth() { --cursor_.depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;

   private:
    Cursor& cursor_;
  };

  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool at_end() const { return at_ >= text_.size(); }
  bool starts_with(std::string_view word) const { return text_.substr(at_).starts_with(word); }
  Place place() const { return place_at(at_); }
  Place place_at(std::size_t at) const;
  [[noreturn]] void fail_here(std::string_view message) const;
  void skip_space();
  void skip_lines();
  bool accept(std::string_view word);
  void expect(std::string_view word, std::string_view where);
  // In bytes. Error{usage} where no UTF-8 is.
  std::size_t character_length() const;
  bool at_name() const;
  std::string name(std::string_view what);
  bool at_word(std::string_view word) const;

  const Source& source_;
  std::string_view text_;
  std::uint32_t base_offset_;
  std::size_t at_ = 0;
  bool skips_newlines_ = false;
  int depth_ = 0;
};

ExpressionPtr make_expression(const Place& place, decltype(Expression::node) node);

}  // namespace kiln::hcl

#include "builder/definitions/hcl/source.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"

namespace kiln::hcl {

namespace {

constexpr std::size_t kMaxShown = 160;

std::string_view text_before(const Place& place) {
  return std::string_view(place.source->text()).substr(0, place.offset);
}

std::size_t line_begin(const Place& place) {
  const std::size_t newline = text_before(place).rfind('\n');
  return newline == std::string_view::npos ? 0 : newline + 1;
}

}  // namespace

int Place::line() const {
  const std::string_view before = text_before(*this);
  return static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1;
}

int Place::column() const {
  const std::string_view before = text_before(*this).substr(line_begin(*this));
  const auto starts_character = [](char c) { return !is_continuation(c); };
  return static_cast<int>(std::count_if(before.begin(), before.end(), starts_character)) + 1;
}

std::string Place::str() const { return fmt::format("{}:{}:{}", printable(source->name()), line(), column()); }

void fail(const Place& place, std::string_view message) {
  if (place.source == nullptr) throw Error(Category::usage, std::string(message));
  Error error(Category::usage, fmt::format("{}: {}", place.str(), message));
  const std::size_t begin = line_begin(place);
  const std::string_view text = place.source->text();
  std::string_view line = text.substr(begin, std::min(text.find('\n', begin), text.size()) - begin);
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::string number = fmt::format("{:5} | ", place.line());
  std::string detail = number + printable(line.substr(0, kMaxShown));
  if (place.offset - begin < kMaxShown) {
    const std::string before = printable(line.substr(0, place.offset - begin));
    detail += "\n" + std::string(number.size() - 2, ' ') + "| ";
    for (const char c : before) {
      if (!is_continuation(c)) detail += c == '\t' ? '\t' : ' ';
    }
    detail += "^";
  }
  error.set_detail(std::move(detail));
  throw error;
}

}  // namespace kiln::hcl

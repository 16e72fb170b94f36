#include "base/json.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/text.hpp"

namespace kiln {

namespace {

using nlohmann::json;

// Walks a text once by nlohmann's SAX interface. The position of an event is known from how far the input
// iterator has been read: at a key that is exact, after a number it may be one character too far.
class CountingIterator {
 public:
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;
  using iterator_category = std::input_iterator_tag;

  CountingIterator(const char* at, const char** seen) : at_(at), seen_(seen) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *seen_ = ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator old = *this;
    ++*this;
    return old;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** seen_;
};

int line_at(std::string_view text, const char* position) {
  int line = 1;
  for (const char* p = text.data(); p < position; ++p) line += *p == '\n';
  return line;
}

struct JsonProblem {
  int line = 1;
  std::string what;
};

// Checks limits and duplicate keys; knows the pointer of the current value for json_line_of.
class Walker : public json::json_sax_t {
 public:
  Walker(std::string_view text, const char*& seen, std::size_t max_depth, std::optional<std::string_view> wanted)
      : text_(text), seen_(seen), max_depth_(max_depth), wanted_(wanted) {}

  JsonProblem problem;
  std::optional<int> found_line;

  bool null() override { return scalar(); }
  bool boolean(bool) override { return scalar(); }
  bool number_integer(number_integer_t) override { return scalar(); }
  bool number_unsigned(number_unsigned_t) override { return scalar(); }
  bool number_float(number_float_t, const string_t&) override { return scalar(); }
  bool string(string_t&) override { return scalar(); }
  bool binary(binary_t&) override { return scalar(); }
  bool start_object(std::size_t) override { return open(false); }
  bool start_array(std::size_t) override { return open(true); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    Frame& frame = frames_.back();
    if (!frame.keys.insert(name).second) return fail(fmt::format("duplicate key '{}'", printable(name)));
    frame.token = name;
    if (is_wanted()) found_line = line_at(text_, seen_);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    std::string what = error.what();
    if (const auto at = what.find("syntax error"); at != std::string::npos) what = what.substr(at);
    const std::size_t offset = position == 0 ? 0 : std::min(position - 1, text_.size());
    problem = {line_at(text_, text_.data() + offset), printable(what)};
    return false;
  }

 private:
  struct Frame {
    bool is_array;
    std::size_t index = 0;
    std::string token;
    std::set<std::string> keys;
  };

  bool fail(const std::string& what) {
    problem = {line_at(text_, seen_), what};
    return false;
  }
  std::string pointer() const {
    std::string result;
    for (const Frame& frame : frames_) {
      result += '/';
      if (frame.is_array) {
        result += std::to_string(frame.index);
        continue;
      }
      for (const char c : frame.token) result += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    }
    return result;
  }
  bool is_wanted() const { return wanted_ && !found_line && pointer() == *wanted_; }
  void mark() {
    if (is_wanted()) found_line = line_at(text_, seen_ - 1);
  }
  void next() {
    if (!frames_.empty() && frames_.back().is_array) ++frames_.back().index;
  }
  bool scalar() {
    mark();
    next();
    return true;
  }
  bool open(bool is_array) {
    if (frames_.size() >= max_depth_) return fail(fmt::format("nested deeper than {} levels", max_depth_));
    mark();
    frames_.push_back(Frame{is_array, 0, {}, {}});
    return true;
  }
  bool close() {
    frames_.pop_back();
    next();
    return true;
  }

  std::string_view text_;
  const char*& seen_;
  std::size_t max_depth_;
  std::optional<std::string_view> wanted_;
  std::vector<Frame> frames_;
};

void refuse_large(std::string_view text, std::string_view name, Category category, const JsonLimits& limits) {
  if (text.size() <= limits.max_bytes) return;
  throw Error(category,
              fmt::format("{}: {} bytes of JSON, more than the {} allowed", name, text.size(), limits.max_bytes));
}

std::optional<JsonProblem> problem_of(std::string_view text, const JsonLimits& limits) {
  // nlohmann takes a NUL for the end of the text.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return JsonProblem{line_at(text, text.data() + nul), "a NUL character"};
  }
  const char* seen = text.data();
  Walker walker(text, seen, limits.max_depth, std::nullopt);
  const char* end = text.data() + text.size();
  if (json::sax_parse(CountingIterator(text.data(), &seen), CountingIterator(end, &seen), &walker)) return std::nullopt;
  return walker.problem;
}

// nlohmann quotes the token that it was in, and then says what it expected.
std::string_view without_quote(std::string_view what) { return what.substr(0, what.find("; last read: ")); }

template <typename Json>
std::string dumped(const Json& value, JsonLayout layout) {
  return value.dump(layout == JsonLayout::indented ? 2 : -1, ' ', false, Json::error_handler_t::replace);
}

template <typename Json>
std::optional<std::string> dumped_strictly(const Json& value) {
  try {
    return value.dump();
  } catch (const typename Json::type_error&) {
    return std::nullopt;
  }
}

}  // namespace

json parse_json(std::string_view text, std::string_view name, Category category, const JsonLimits& limits) {
  refuse_large(text, name, category, limits);
  if (const auto problem = problem_of(text, limits))
    throw Error(category, fmt::format("{}: line {}: {}", name, problem->line, without_quote(problem->what)));
  return json::parse(text);
}

json parse_json_file(std::string_view text, std::string_view file_name, const JsonLimits& limits) {
  refuse_large(text, file_name, Category::usage, limits);
  if (const auto problem = problem_of(text, limits))
    throw Error(Category::usage, fmt::format("{}:{}: {}", file_name, problem->line, problem->what));
  return json::parse(text);
}

json parse_own_json(std::string_view text) { return json::parse(text); }

nlohmann::ordered_json parse_own_ordered_json(std::string_view text) { return nlohmann::ordered_json::parse(text); }

std::optional<json> try_parse_json(std::string_view text) {
  json value = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return std::nullopt;
  return value;
}

std::string json_text(const json& value, JsonLayout layout) { return dumped(value, layout); }

std::string json_text(const nlohmann::ordered_json& value, JsonLayout layout) { return dumped(value, layout); }

std::optional<std::string> strict_json_text(const json& value) { return dumped_strictly(value); }

std::optional<std::string> strict_json_text(const nlohmann::ordered_json& value) { return dumped_strictly(value); }

std::string string_member(const nlohmann::json& object, std::string_view name) {
  if (!object.is_object()) return {};
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<int> json_line_of(std::string_view text, std::string_view pointer) {
  const char* seen = text.data();
  Walker walker(text, seen, 1000, pointer);
  const char* end = text.data() + text.size();
  json::sax_parse(CountingIterator(text.data(), &seen), CountingIterator(end, &seen), &walker);
  return walker.found_line;
}

}  // namespace kiln

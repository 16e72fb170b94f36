#include "builder/dockerfile/expansion.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/shell_pattern.hpp"
#include "builder/dockerfile/utf8.hpp"
#include "builder/dockerfile/word_lexer.hpp"

// One pass over the word, descending into ${...} where it meets one. Two results grow side by side: the text,
// and the words it falls into. A character that came from outside of quotes may separate words, also when it
// came out of a variable; one from inside of quotes or behind an escape never does.
namespace kiln::dockerfile {
namespace {

// Both bound what a hostile Dockerfile can make of a few lines (`ENV X=$X$X`, nested `${x:-${x:-...}}`).
constexpr std::size_t kMaxAddedBytes = std::size_t{2} << 20;  // to what is written
constexpr int kMaxDepth = 200;

[[noreturn]] void fail(const std::string& reason) { throw Error(Category::usage, reason); }

class Words {
 public:
  void add(std::string_view character, bool separates) {
    if (!separates) {
      word_ += character;
      in_word_ = true;
    } else if (in_word_ && !word_.empty()) {
      words_.push_back(std::move(word_));
      word_.clear();
      in_word_ = false;
    }
  }
  void add_text(std::string_view text) {  // may hold separators
    for (std::size_t i = 0; i < text.size();) {
      const Rune rune = rune_at(text, i);
      add(text.substr(i, rune.size), is_space(rune.value));
      i += rune.size;
    }
  }
  void add_quoted(std::string_view text) {
    word_ += text;
    in_word_ = true;
  }
  std::vector<std::string> finish() {
    if (!word_.empty()) words_.push_back(std::move(word_));
    return std::move(words_);
  }

 private:
  std::string word_;
  std::vector<std::string> words_;
  bool in_word_ = false;
};

class Lexer {
 public:
  Lexer(std::string_view source, const VariableLookup& lookup, const LexerOptions& options)
      : source_(source), lookup_(lookup), options_(options), keep_escapes_(options.keep_escapes) {}

  Expansion run() {
    auto [text, words] = read_until('\0', keep_escapes_);
    result_.text = std::move(text);
    result_.words = std::move(words);
    return std::move(result_);
  }

 private:
  struct Piece {
    std::string text;
    std::vector<std::string> words;
  };

  bool at_end() const { return position_ >= source_.size(); }
  char peek() const { return at_end() ? '\0' : source_[position_]; }
  bool next_is(char c) const { return !at_end() && source_[position_] == c; }
  std::string_view take() {
    const std::size_t size = rune_at(source_, position_).size;
    const std::string_view character = source_.substr(position_, size);
    position_ += size;
    return character;
  }

  void append(std::string& out, std::string_view text) const {
    if (out.size() + text.size() > source_.size() + kMaxAddedBytes) {
      fail(fmt::format("variables make it longer by more than {}", human_bytes(kMaxAddedBytes)));
    }
    out += text;
  }

  // Reads up to and over `stop`, or to the end where that is '\0'.
  Piece read_until(char stop, bool keep_escapes) {
    if (++depth_ > kMaxDepth) fail("substitutions are nested too deeply");
    const bool outer = std::exchange(keep_escapes_, keep_escapes);
    std::string out;
    Words words;
    while (!at_end()) {
      const char c = peek();
      if (stop != '\0' && c == stop) {
        ++position_;
        return finish(std::move(out), words, outer);
      }
      if (c == '$') {
        const std::string value = dollar();
        append(out, value);
        words.add_text(value);
      } else if (c == '\'' && !options_.quotes_are_text) {
        const std::string value = single_quotes();
        append(out, value);
        words.add_quoted(value);
      } else if (c == '"' && !options_.quotes_are_text) {
        const std::string value = double_quotes();
        append(out, value);
        words.add_quoted(value);
      } else if (c == '<') {
        heredoc_mark(out, words);
      } else if (c == options_.escape) {
        ++position_;
        if (keep_escapes_) {
          append(out, std::string_view(&options_.escape, 1));
          words.add(std::string_view(&options_.escape, 1), false);
        }
        if (at_end()) break;
        const std::string_view escaped = take();
        append(out, escaped);
        words.add(escaped, false);
      } else {
        const char32_t value = rune_at(source_, position_).value;
        const std::string_view character = take();
        append(out, character);
        words.add(character, is_space(value));
      }
    }
    if (stop != '\0') fail(fmt::format("syntax error: missing '{}'", stop));
    return finish(std::move(out), words, outer);
  }

  Piece finish(std::string text, Words& words, bool outer_keep_escapes) {
    keep_escapes_ = outer_keep_escapes;
    --depth_;
    return {std::move(text), words.finish()};
  }

  // "<<  EOF", "<<- EOF": the spaces before a heredoc's name belong to the word.
  void heredoc_mark(std::string& out, Words& words) {
    const std::size_t start = position_++;
    if (next_is('<')) {
      ++position_;
      if (next_is('-')) ++position_;
      while (next_is(' ') || next_is('\t') || next_is('\r')) ++position_;
    }
    const std::string_view mark = source_.substr(start, position_ - start);
    append(out, mark);
    words.add_quoted(mark);
  }

  std::string single_quotes() {
    const std::size_t start = position_;
    const std::size_t end = source_.find('\'', start + 1);
    if (end == std::string_view::npos) fail("missing closing single quote");
    position_ = end + 1;
    if (options_.keep_quotes) return std::string(source_.substr(start, end - start + 1));
    std::string text(source_.substr(start + 1, end - start - 1));
    // A pattern that ends in what quotes make a plain backslash means that one.
    const std::size_t behind = text.find_last_not_of('\\') + 1;
    if (keep_escapes_ && !in_replacement_ && (text.size() - behind) % 2 == 1) text += '\\';
    return text;
  }

  std::string double_quotes() {
    ++position_;
    std::string out;
    if (options_.keep_quotes) out += '"';
    for (;;) {
      if (at_end()) fail("missing closing double quote");
      const char c = peek();
      if (c == '"') {
        ++position_;
        if (options_.keep_quotes) out += '"';
        return out;
      }
      if (c == '$') {
        append(out, dollar());
      } else if (c == options_.escape) {
        ++position_;
        if (keep_escapes_) out += c;
        if (at_end()) continue;
        // Inside of double quotes an escape is one only before these three.
        if (next_is('"') || next_is('$') || next_is(options_.escape)) {
          out += take();
        } else {
          out += c;
        }
      } else {
        append(out, take());
      }
    }
  }

  std::string modified(const std::string& name, std::string value) {
    if (options_.modified) options_.modified({name, value});
    modified_bytes_ += value.size();
    if (modified_bytes_ > kMaxAddedBytes) {
      fail(fmt::format("modifiers of variables make more than {}", human_bytes(kMaxAddedBytes)));
    }
    result_.modified.insert({name, value});
    return value;
  }

  std::optional<std::string> value_of(const std::string& name) {
    std::optional<std::string> value = lookup_(name);
    (value ? result_.used : result_.unset).insert(name);
    return value;
  }

  std::string dollar() {
    ++position_;
    if (!next_is('{')) {
      const std::string name = variable_name();
      if (name.empty()) return "$";
      const auto value = value_of(name);
      if (!value && options_.keep_unset) return "$" + name;
      return value.value_or("");
    }
    ++position_;
    if (at_end()) fail("syntax error: missing '}'");
    if (next_is('{') || next_is('}') || next_is(':')) fail("syntax error: bad substitution");
    const std::string name = variable_name();
    if (at_end()) fail("syntax error: missing '}'");
    if (next_is('}')) {
      ++position_;
      const auto value = value_of(name);
      if (!value && options_.keep_unset) return "${" + name + "}";
      return value.value_or("");
    }
    if (next_is('/')) return replacement(name);
    return modifier(name);
  }

  // ${x-y} and its relatives; the position is at the modifier.
  std::string modifier(const std::string& name) {
    std::string written(take());
    const bool empty_is_unset = written == ":";
    if (empty_is_unset && !at_end()) written += take();
    const std::string kind = empty_is_unset ? written.substr(1) : written;
    const bool is_pattern = !empty_is_unset && (kind == "#" || kind == "%");
    if (!is_pattern && kind != "-" && kind != "+" && kind != "?") {
      fail(fmt::format("unsupported modifier '{}' in the substitution of '{}'", printable(written), name));
    }
    std::string word = read_until('}', is_pattern).text;
    const auto value = value_of(name);
    if (!value && options_.keep_unset) return "${" + name + written + word + "}";
    const bool present = value && !(empty_is_unset && value->empty());
    if (kind == "-") return present ? *value : word;
    if (kind == "+") return present ? word : "";
    if (kind == "?") {
      if (present) return *value;
      if (word.empty()) word = value ? "is not allowed to be empty" : "is not allowed to be unset";
      fail(fmt::format("{}: {}", name, printable(word)));
    }
    ShellPattern::Length length = ShellPattern::Length::shortest;
    if (!word.empty() && word[0] == kind[0]) {
      length = ShellPattern::Length::longest;
      word.erase(0, 1);
    }
    const ShellPattern pattern(word);
    const std::string text = value.value_or("");
    return modified(name, kind == "#" ? pattern.without_prefix(text, length) : pattern.without_suffix(text, length));
  }

  std::string replacement(const std::string& name) {
    ++position_;
    const bool everywhere = next_is('/');
    if (everywhere) ++position_;
    const std::string pattern = read_until('/', true).text;
    in_replacement_ = true;
    const std::string with = read_until('}', true).text;
    in_replacement_ = false;
    const auto value = value_of(name);
    if (!value && options_.keep_unset) return "${" + name + "/" + pattern + "/" + with + "}";
    const ShellPattern compiled(pattern);
    const std::string text = value.value_or("");
    return modified(name, everywhere ? compiled.replace_all(text, with) : compiled.replace_first(text, with));
  }

  // A name, a run of digits, or one of the shell's special parameters (never set, but names all the same).
  std::string variable_name() {
    std::string name;
    while (!at_end()) {
      const char32_t rune = rune_at(source_, position_).value;
      if (name.empty() && is_digit(rune)) {
        while (!at_end() && is_digit(static_cast<unsigned char>(peek()))) name += take();
        return name;
      }
      if (name.empty() && rune < 0x80 &&
          std::string_view("@*#?-$!").find(static_cast<char>(rune)) != std::string_view::npos) {
        return std::string(take());
      }
      if (!is_letter(rune) && !is_digit(rune) && rune != '_') break;
      name += take();
    }
    return name;
  }

  std::string_view source_;
  const VariableLookup& lookup_;
  LexerOptions options_;
  bool keep_escapes_;
  bool in_replacement_ = false;  // behind the second slash of ${x/pattern/replacement}
  std::size_t position_ = 0;
  std::size_t modified_bytes_ = 0;
  int depth_ = -1;  // of substitutions: the word itself is none
  Expansion result_;
};

}  // namespace

Expansion lex_word(std::string_view word, const VariableLookup& lookup, const LexerOptions& options) {
  try {
    return Lexer(word, lookup, options).run();
  } catch (const Error& error) {
    constexpr std::size_t kShown = 120;
    throw Error(error.category(), fmt::format("cannot expand '{}{}': {}", printable(word.substr(0, kShown)),
                                              word.size() > kShown ? "..." : "", error.message()));
  }
}

Expansion expand(std::string_view word, const VariableLookup& lookup, const ExpansionOptions& options) {
  LexerOptions lexer;
  lexer.escape = options.escape;
  lexer.modified = options.modified;
  lexer.quotes_are_text = options.quotes == Quotes::literal;
  lexer.keep_quotes = lexer.keep_escapes = options.quotes == Quotes::keep;
  return lex_word(word, lookup, lexer);
}

std::string expand_word(std::string_view word, const VariableLookup& lookup, char escape) {
  return expand(word, lookup, {escape, Quotes::process}).text;
}

}  // namespace kiln::dockerfile

#include "builder/definitions/compose/interpolation.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln::compose {

namespace {

constexpr int kMaxExpansionDepth = 50;

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_part(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

class Interpolation {
 public:
  Interpolation(const Lookup& lookup, const UnsetVariables& unset) : lookup_(lookup), unset_(unset) {}

  std::string run(std::string_view text, int depth) {
    if (depth > kMaxExpansionDepth) throw Error(Category::usage, "variables nest too deep");
    std::string result;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t dollar = std::min(text.find('$', at), text.size());
      result += text.substr(at, dollar - at);
      at = dollar;
      if (at == text.size()) break;
      if (text.substr(at).starts_with("$$")) {
        result += '$';
        at += 2;
      } else if (text.substr(at).starts_with("${")) {
        const std::size_t end = closing_brace(text, at + 2);
        result += braced(text.substr(at + 2, end - at - 2), depth);
        at = end + 1;
      } else if (at + 1 < text.size() && is_name_start(text[at + 1])) {
        std::size_t end = at + 1;
        while (end < text.size() && is_name_part(text[end])) ++end;
        result += value_or_nothing(std::string(text.substr(at + 1, end - at - 1)));
        at = end;
      } else {
        result += '$';  // as Compose leaves one that begins nothing
        ++at;
      }
    }
    return result;
  }

 private:
  [[noreturn]] static void refuse() {
    throw Error(Category::usage, "a '${' that is no variable; to write it as it is, double the dollar: '$${'");
  }

  static std::size_t closing_brace(std::string_view text, std::size_t at) {
    for (int depth = 0; at < text.size(); ++at) {
      if (text[at] == '{') ++depth;
      if (text[at] == '}' && depth-- == 0) return at;
    }
    refuse();
  }

  std::string value_or_nothing(const std::string& name) {
    auto value = lookup_(name);
    if (!value && unset_.empty != nullptr) unset_.empty->insert(name);
    return std::move(value).value_or("");
  }

  std::string braced(std::string_view inside, int depth) {
    std::size_t end = 0;
    while (end < inside.size() && is_name_part(inside[end])) ++end;
    const std::string name(inside.substr(0, end));
    std::string_view rest = inside.substr(end);
    if (name.empty() || !is_name_start(name[0])) refuse();
    if (rest.empty()) return value_or_nothing(name);
    const auto value = lookup_(name);
    const bool counts_empty = rest.starts_with(':');
    if (counts_empty) rest.remove_prefix(1);
    const bool is_there = value && !(counts_empty && value->empty());
    const char how = rest.empty() ? '\0' : rest[0];
    const std::string_view word = rest.substr(rest.empty() ? 0 : 1);
    if (how == '-') return is_there ? *value : run(word, depth + 1);
    if (how == '+') return is_there ? run(word, depth + 1) : value.value_or("");
    if (how != '?') refuse();
    if (is_there) return *value;
    if (unset_.needed_one) return *unset_.needed_one;
    const std::string reason = run(word, depth + 1);
    throw Error(Category::usage,
                fmt::format("the variable '{}' is needed{}{}", name, reason.empty() ? "" : ": ", printable(reason)));
  }

  const Lookup& lookup_;
  const UnsetVariables& unset_;
};

class EnvFile {
 public:
  EnvFile(const std::string& name, std::string_view text, const Lookup& lookup,
          std::map<std::string, std::string>& values)
      : source_(name, std::string(text)), text_(source_.text()), lookup_(lookup), values_(values) {}

  void read() {
    static constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    if (text_.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
    while (true) {
      skip(" \t\r\n");
      if (at_ == text_.size()) return;
      if (text_[at_] == '#') {
        at_ = line_end();
        continue;
      }
      entry();
    }
  }

 private:
  [[noreturn]] void fail(std::size_t at, std::string_view message) const {
    const hcl::Place place{&source_, static_cast<std::uint32_t>(at)};
    throw Error(Category::usage, fmt::format("{}: {}", place.str(), message));
  }
  void skip(std::string_view characters) { at_ = std::min(text_.find_first_not_of(characters, at_), text_.size()); }
  std::size_t line_end() const { return std::min(text_.find('\n', at_), text_.size()); }

  void entry() {
    if (text_.substr(at_).starts_with("export ")) {
      at_ += 7;
      skip(" \t");
    }
    const std::size_t end = line_end();
    std::size_t separator = at_;
    while (separator < end && text_[separator] != '=' && text_[separator] != ':') ++separator;
    const std::string key(trim(text_.substr(at_, separator - at_)));
    const bool is_name = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
      return is_name_part(c) || c == '.' || c == '-' || c == '[' || c == ']';
    });
    if (!is_name) fail(at_, "expected NAME=VALUE");
    if (separator == end) {  // a name alone is the environment's
      at_ = end;
      if (const auto value = lookup_(key)) values_[key] = *value;
      return;
    }
    at_ = separator + 1;
    skip(" \t");
    values_[key] = value();
  }

  std::string value() {
    const std::size_t begin = at_;
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '"' && quote != '\'') {
      const std::size_t end = line_end();
      const std::string_view raw = text_.substr(at_, end - at_);
      at_ = end;
      return expanded(trim(raw.substr(0, raw.find(" #"))), begin);
    }
    std::string raw;
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        const char c = text_[++at_];
        if (c != quote) raw += '\\';
        raw += c;
      } else {
        raw += text_[at_];
      }
    }
    if (at_ == text_.size()) fail(begin, "a quote without its partner");
    ++at_;
    return quote == '"' ? expanded(unescaped(raw), begin) : raw;
  }

  // The escapes of a shell; `\$` becomes `$$`, which is a dollar once variables are put in.
  static std::string unescaped(std::string_view text) {
    static constexpr std::string_view kFrom = "abfnrtv\\", kTo = "\a\b\f\n\r\t\v\\";
    std::string result;
    for (std::size_t at = 0; at < text.size(); ++at) {
      const char c = text[at] == '\\' && at + 1 < text.size() ? text[at + 1] : '\0';
      const std::size_t known = c == '\0' ? std::string_view::npos : kFrom.find(c);
      std::size_t digits = 0;
      while (c == '0' && digits < 3 && at + 2 + digits < text.size() && is_octal(text[at + 2 + digits])) ++digits;
      if (known != std::string_view::npos) {
        result += kTo[known];
        ++at;
      } else if (c == '$') {
        result += "$$";
        ++at;
      } else if (digits == 3 && text[at + 2] <= '1') {
        result += static_cast<char>(std::stoi(std::string(text.substr(at + 2, 3)), nullptr, 8));
        at += 4;
      } else {
        result += text[at];
      }
    }
    return result;
  }

  static bool is_octal(char c) { return c >= '0' && c <= '7'; }

  std::string expanded(std::string_view raw, std::size_t begin) {
    const Lookup above = [&](const std::string& name) -> std::optional<std::string> {
      if (auto outer = lookup_(name)) return outer;
      const auto found = values_.find(name);
      return found == values_.end() ? std::nullopt : std::optional(found->second);
    };
    try {
      return interpolate(raw, above);
    } catch (const Error& error) {
      fail(begin, error.message());
    }
  }

  hcl::Source source_;
  std::string_view text_;
  const Lookup& lookup_;
  std::map<std::string, std::string>& values_;
  std::size_t at_ = 0;
};

}  // namespace

std::string interpolate(std::string_view text, const Lookup& lookup, const UnsetVariables& unset) {
  return Interpolation(lookup, unset).run(text, 0);
}

std::string interpolate(const Node& node, const Lookup& lookup, const UnsetVariables& unset) {
  try {
    return interpolate(node.text, lookup, unset);
  } catch (const Error& error) {
    hcl::fail(node.place, error.message());
  }
}

void interpolate_all(Node& node, const Lookup& lookup, const UnsetVariables& unset) {
  if (node.is_scalar() && node.text.find('$') != std::string::npos) {
    node.text = interpolate(node, lookup, unset);
    node.is_plain = false;
  }
  for (Node& item : node.items) interpolate_all(item, lookup, unset);
  for (auto& [key, member] : node.members) interpolate_all(member, lookup, unset);
}

void read_env_file(const std::string& name, std::string_view text, const Lookup& lookup,
                   std::map<std::string, std::string>& values) {
  EnvFile(name, text, lookup, values).read();
}

Lookup with_defaults(Lookup outer, std::map<std::string, std::string> values) {
  return [outer = std::move(outer), values = std::move(values)](const std::string& name) {
    if (auto value = outer(name)) return value;
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  };
}

}  // namespace kiln::compose

#include "builder/dockerfile/directives.hpp"

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/utf8.hpp"

namespace kiln::dockerfile {
namespace {

bool is_alphanumeric(char c) { return is_letter(static_cast<unsigned char>(c)) || (c >= '0' && c <= '9'); }

}  // namespace

std::string_view without_byte_order_mark(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (text.substr(0, kMark.size()) == kMark) text.remove_prefix(kMark.size());
  return text;
}

std::optional<DirectiveLine> parse_directive(std::string_view comment) {
  comment = trim_spaces(comment);
  std::size_t end = 0;
  while (end < comment.size() && static_cast<unsigned char>(comment[end]) < 0x80 && is_alphanumeric(comment[end])) {
    ++end;
  }
  if (end == 0 || (comment[0] >= '0' && comment[0] <= '9')) return std::nullopt;
  DirectiveLine out;
  out.name = to_lower(comment.substr(0, end));
  std::string_view rest = trim_left_spaces(comment.substr(end));
  if (rest.empty() || rest[0] != '=') return std::nullopt;
  rest = trim_left_spaces(rest.substr(1));
  if (rest.empty() || (out.name != "syntax" && out.name != "escape" && out.name != "check")) return std::nullopt;
  out.whole_value = rest;
  out.value = rest.substr(0, rest.find(' '));
  return out;
}

std::optional<Directive> find_directive(std::string_view text, std::string_view name, std::string_view comment_sign) {
  text = without_byte_order_mark(text);
  int line_number = 0;
  bool first = true;
  for (std::string_view line : split(text, '\n')) {
    ++line_number;
    if (std::exchange(first, false) && line.substr(0, 2) == "#!") continue;
    if (line.substr(0, comment_sign.size()) != comment_sign) break;
    const auto directive = parse_directive(line.substr(comment_sign.size()));
    if (!directive) break;
    if (directive->name == name) return Directive{directive->value, line_number};
  }
  return std::nullopt;
}

std::vector<StrayDirective> stray_directives(std::string_view text) {
  text = without_byte_order_mark(text);
  std::vector<StrayDirective> strays;
  int number = 0;
  bool is_at_top = true;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    if (number == 1 && line.starts_with("#!")) continue;
    const std::string_view comment = trim_spaces(line);
    if (!comment.empty() && !comment.starts_with('#')) break;
    is_at_top = is_at_top && line.starts_with('#') && parse_directive(line.substr(1));
    if (is_at_top || comment.empty()) continue;
    const std::size_t equals = comment.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string name(trim_spaces(comment.substr(1, equals - 1)));
    const std::string lower = to_lower(name);
    // `# check=` above an instruction is for that instruction.
    if (lower == "syntax" || lower == "escape") strays.push_back({number, name});
    if (lower == "syntax" || lower == "escape" || lower == "check") continue;
    const bool is_word = !name.empty() && name.find(' ') == std::string::npos;
    if (const auto meant = is_word ? nearest(lower, {"syntax", "escape", "check"}) : std::nullopt)
      strays.push_back({number, name, meant});
  }
  return strays;
}

std::optional<Directive> detect_syntax(std::string_view text) {
  if (auto found = find_directive(text, "syntax")) return found;
  if (auto found = find_directive(text, "syntax", "//")) return found;
  text = without_byte_order_mark(text);
  if (text.empty() || text.front() != '{') return std::nullopt;
  try {
    const nlohmann::json json = parse_json(text, "Dockerfile", Category::usage);
    const auto found = json.find("syntax");
    if (found != json.end() && found->is_string()) return Directive{found->get<std::string>(), 1};
  } catch (const Error&) {
    return std::nullopt;  // a file that is no JSON asks for no front end this way
  }
  return std::nullopt;
}

bool is_docker_front_end(std::string_view front_end) {
  std::string_view name = front_end.substr(0, front_end.find_first_of("@ "));
  const std::size_t slash = name.rfind('/');
  name = name.substr(0, name.find(':', slash == std::string_view::npos ? 0 : slash));
  if (name == "dockerfile.v0") return true;
  for (const std::string_view own : {"docker/dockerfile", "docker/dockerfile-upstream"}) {
    if (name == own || (name.ends_with(own) && name[name.size() - own.size() - 1] == '/')) return true;
  }
  return false;
}

}  // namespace kiln::dockerfile

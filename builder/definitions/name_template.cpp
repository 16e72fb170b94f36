#include "builder/definitions/name_template.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "registry/oci/reference.hpp"

namespace kiln {

namespace {

bool is_separator(char c) { return c == '-' || c == '_' || c == '.' || c == '/'; }

}  // namespace

std::string render_template(std::string_view text, const std::map<std::string, std::optional<std::string>>& values) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '}') throw Error(Category::usage, fmt::format("'{}' has a '}}' without '{{'", printable(text)));
    if (c != '{') {
      result += c;
      ++at;
      continue;
    }
    const std::size_t end = text.find('}', at);
    if (end == std::string_view::npos) {
      throw Error(Category::usage, fmt::format("'{}' has a '{{' without '}}'", printable(text)));
    }
    const std::string name(text.substr(at + 1, end - at - 1));
    const auto value = values.find(name);
    if (value == values.end()) {
      std::vector<std::string> known;
      for (const auto& [key, ignored] : values) known.push_back(key);
      throw Error(Category::usage, fmt::format("unknown placeholder '{{{}}}' in '{}'{}", printable(name),
                                               printable(text), suggestion(name, known)));
    }
    at = end + 1;
    if (value->second) {
      result += *value->second;
    } else if (!result.empty() && is_separator(result.back())) {
      result.pop_back();
    } else if (result.empty() && at < text.size() && is_separator(text[at])) {
      ++at;
    }
  }
  return result;
}

void check_tag_template(std::string_view text) {
  const std::string tag = render_template(
      text, {{"image", "image"}, {"profile", "profile"}, {"date", "20000101"}, {"git", "0123456789ab"}});
  if (!oci::is_valid_tag(tag)) throw Error(Category::usage, fmt::format("'{}' makes no valid tag", printable(text)));
}

bool template_uses(std::string_view text, std::string_view name) {
  return text.find(fmt::format("{{{}}}", name)) != std::string_view::npos;
}

}  // namespace kiln

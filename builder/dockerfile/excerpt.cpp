#include "builder/dockerfile/excerpt.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/credentials.hpp"
#include "base/text.hpp"

namespace kiln::dockerfile {

std::string excerpt(std::string_view text, std::string_view file_name, LineRange lines) {
  constexpr int kAround = 2;
  constexpr std::size_t kMaxLineBytes = 240;
  std::vector<std::string_view> all = split(text, '\n');
  if (all.size() > 1 && all.back().empty()) all.pop_back();
  const int count = static_cast<int>(all.size());
  const int first = std::clamp(lines.first, 1, count);
  const int last = std::clamp(lines.last, first, count);
  const int from = std::max(1, first - kAround);
  const int to = std::min(count, last + kAround);

  const int width = static_cast<int>(std::to_string(to).size());
  std::string out = fmt::format("{}:{}", printable(file_name), first);
  for (int number = from; number <= to; ++number) {
    const std::string masked = without_url_credentials(all[static_cast<std::size_t>(number - 1)]);
    std::string_view line = masked;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const bool cut = line.size() > kMaxLineBytes;
    std::string shown;
    for (std::string_view part : split(line.substr(0, kMaxLineBytes), '\t')) {
      if (part.data() != line.data()) shown += "    ";
      shown += printable(part);
    }
    const char* mark = number >= first && number <= last ? ">>>" : "   ";
    out += fmt::format("\n{:>{}} | {} {}{}", number, width, mark, shown, cut ? "..." : "");
  }
  return out;
}

}  // namespace kiln::dockerfile

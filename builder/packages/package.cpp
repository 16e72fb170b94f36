#include "builder/packages/package.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace kiln {

std::string_view to_string(Ecosystem ecosystem) {
  switch (ecosystem) {
    case Ecosystem::deb:
      return "deb";
    case Ecosystem::apk:
      return "apk";
    case Ecosystem::conda:
      return "conda";
    case Ecosystem::pypi:
      return "pypi";
    case Ecosystem::npm:
      return "npm";
    case Ecosystem::golang:
      return "golang";
  }
  return "";
}

void PackageNotes::add(std::string note) {
  if (notes_.size() < kMaxNotes) notes_.push_back(std::move(note));
  if (notes_.size() == kMaxNotes) notes_.back() = "and more of the kind";
}

bool is_plain_word(std::string_view text) {
  return !text.empty() && text.size() <= kMaxWordBytes && text.find(' ') == std::string_view::npos &&
         printable(text) == text;
}

std::string plain_line(std::string_view text) {
  std::string line;
  for (const char c : trim(text)) {
    const bool is_space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!is_space) {
      line += c;
    } else if (!line.ends_with(' ')) {
      line += ' ';
    }
    if (line.size() >= kMaxLicenceBytes) break;
  }
  return printable(trim(line));
}

bool check_stated(const StatedPackage& package, std::string_view where, PackageNotes& notes) {
  if (!is_plain_word(package.name)) {
    notes.add(fmt::format("'{}': the name '{}' is none of a package", printable(where),
                          printable(std::string_view(package.name).substr(0, 80))));
    return false;
  }
  if (!is_plain_word(package.version)) {
    notes.add(fmt::format("'{}': package '{}' has no version, or one that is none", printable(where), package.name));
    return false;
  }
  return true;
}

}  // namespace kiln

#include <fmt/format.h>

#include <algorithm>

#include "base/paragraphs.hpp"
#include "base/text.hpp"
#include "builder/packages/databases.hpp"

namespace kiln {

namespace {

// "glibc" or "gcc-12 (12.2.0-14)".
void take_source(StatedPackage& package, std::string_view text) {
  const std::size_t open = text.find('(');
  package.source = std::string(trim(text.substr(0, open)));
  if (open != std::string_view::npos && text.ends_with(')'))
    package.source_version = std::string(trim(text.substr(open + 1, text.size() - open - 2)));
  if (package.source_version == package.version) package.source_version.clear();
  if (package.source == package.name && package.source_version.empty()) package.source.clear();
}

}  // namespace

std::vector<StatedPackage> read_dpkg_status(std::string_view text, std::string_view where, PackageNotes& notes) {
  std::vector<StatedPackage> packages;
  read_paragraphs(text, [&](const Paragraph& paragraph) {
    const std::string_view status = paragraph.value("Status");
    if (!status.empty() && !status.ends_with(" installed")) return true;
    StatedPackage package;
    package.ecosystem = Ecosystem::deb;
    package.name = std::string(paragraph.value("Package"));
    package.version = std::string(paragraph.value("Version"));
    package.architecture = std::string(paragraph.value("Architecture"));
    take_source(package, paragraph.value("Source"));
    if (check_stated(package, where, notes)) packages.push_back(std::move(package));
    return packages.size() <= kMaxPackages;  // the one too many is for the caller to tell of
  });
  return packages;
}

std::vector<std::string> read_dpkg_list(std::string_view text) {
  std::vector<std::string> paths;
  for (const std::string_view line : split(text, '\n')) {
    if (line.starts_with('/') && line != "/.") paths.emplace_back(line.substr(1));
  }
  return paths;
}

std::vector<std::string> read_md5sums(std::string_view text) {
  std::vector<std::string> paths;
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t space = line.find("  ");
    if (space == 32 && line.size() > 34) paths.emplace_back(line.substr(34));
  }
  return paths;
}

std::string read_debian_copyright(std::string_view text) {
  if (first_paragraph(text).value("Format").find("copyright-format") == std::string_view::npos) return {};
  std::vector<std::string> names;
  read_paragraphs(text, [&](const Paragraph& paragraph) {
    // Of paragraphs about files: one of a licence alone only holds its text. Its first line is the name.
    if (paragraph.value("Files").empty()) return true;
    const std::string_view licence = paragraph.value("License");
    std::string name = plain_line(licence.substr(0, licence.find('\n')));
    const bool is_choice = name.find(" or ") != std::string::npos || name.find(" OR ") != std::string::npos;
    if (is_choice) name = fmt::format("({})", name);
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
    return names.size() < 100;
  });
  std::sort(names.begin(), names.end());
  const bool is_one = names.size() == 1 && names.front().starts_with('(');
  return is_one ? names.front().substr(1, names.front().size() - 2) : plain_line(join(names, " AND "));
}

}  // namespace kiln

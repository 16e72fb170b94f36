#include <fmt/format.h>

#include "base/text.hpp"
#include "builder/packages/databases.hpp"
#include "builder/packages/paragraphs.hpp"

namespace kiln {

namespace {

// What people write where they mean nothing.
bool says_nothing(std::string_view licence) {
  return licence.empty() || equals_ignoring_case(licence, "UNKNOWN") || equals_ignoring_case(licence, "None");
}

// License-Expression (PEP 639), else License where it is a name and not a whole text, else the classifiers.
std::string python_licence(const Paragraph& headers) {
  if (const std::string_view expression = headers.value("License-Expression"); !says_nothing(expression))
    return plain_line(expression);
  const std::string_view text = headers.value("License");
  if (!says_nothing(text) && text.find('\n') == std::string_view::npos && text.size() <= 100) return plain_line(text);
  std::vector<std::string> names;
  for (const std::string_view classifier : headers.values("Classifier")) {
    if (!classifier.starts_with("License ::")) continue;
    const std::string name = plain_line(classifier.substr(classifier.rfind("::") + 2));
    if (name != "OSI Approved" && names.size() < 20) names.push_back(name);
  }
  return plain_line(join(names, " AND "));
}

// One field of a record of CSV, and what follows it; quotes are doubled in a quoted one.
std::string first_csv_field(std::string_view line) {
  if (!line.starts_with('"')) return std::string(line.substr(0, line.find(',')));
  std::string field;
  for (std::size_t i = 1; i < line.size(); ++i) {
    if (line[i] != '"') {
      field += line[i];
    } else if (i + 1 < line.size() && line[i + 1] == '"') {
      field += line[++i];
    } else {
      break;
    }
  }
  return field;
}

}  // namespace

std::vector<StatedPackage> read_python_metadata(std::string_view text, std::string_view where, PackageNotes& notes) {
  const Paragraph headers = first_paragraph(text);
  StatedPackage package;
  package.ecosystem = Ecosystem::pypi;
  package.name = std::string(headers.value("Name"));
  package.version = std::string(headers.value("Version"));
  package.licence = python_licence(headers);
  if (!check_stated(package, where, notes)) return {};
  return {std::move(package)};
}

std::vector<std::string> read_python_record(std::string_view text) {
  std::vector<std::string> paths;
  for (std::string_view line : split(text, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (std::string path = first_csv_field(line); !path.empty()) paths.push_back(std::move(path));
  }
  return paths;
}

}  // namespace kiln

#include <fmt/format.h>

#include "base/csv.hpp"
#include "base/paragraphs.hpp"
#include "base/text.hpp"
#include "builder/packages/databases.hpp"

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
    const CsvRecord record = read_csv_record(line, 0, CsvLineEnds::end_a_record);
    // A path is a path, however the rest of its record is written.
    const std::string& path = record.fields.empty() ? record.bad_field : record.fields.front();
    if (!path.empty()) paths.push_back(path);
  }
  return paths;
}

}  // namespace kiln

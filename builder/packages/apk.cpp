#include "base/paragraphs.hpp"
#include "builder/packages/databases.hpp"

namespace kiln {

std::vector<ApkPackage> read_apk_installed(std::string_view text, std::string_view where, PackageNotes& notes) {
  std::vector<ApkPackage> packages;
  read_paragraphs(text, [&](const Paragraph& paragraph) {
    ApkPackage package;
    package.stated.ecosystem = Ecosystem::apk;
    std::string folder;
    for (const Paragraph::Field& field : paragraph.fields()) {
      // Upper and lower case differ here: "A" is the architecture, "a" a file's mode.
      if (field.key == "P") package.stated.name = field.value;
      if (field.key == "V") package.stated.version = field.value;
      if (field.key == "A") package.stated.architecture = field.value;
      if (field.key == "L") package.stated.licence = plain_line(field.value);
      if (field.key == "o") package.stated.source = field.value;
      if (field.key == "F") folder = field.value;
      if (field.key == "R") package.files.push_back(folder.empty() ? field.value : folder + "/" + field.value);
    }
    if (package.stated.source == package.stated.name) package.stated.source.clear();
    if (check_stated(package.stated, where, notes)) packages.push_back(std::move(package));
    return packages.size() <= kMaxPackages;  // the one too many is for the caller to tell of
  });
  return packages;
}

}  // namespace kiln

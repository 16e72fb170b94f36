#pragma once

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <map>
#include <string>

#include "base/temp_dir.hpp"

namespace kiln::test {

// A folder with these files in it, gone at the end.
class Folder {
 public:
  using Files = std::map<std::string, std::string>;
  Folder(std::initializer_list<Files::value_type> files) : Folder(Files(files)) {}
  explicit Folder(const Files& files) {
    for (const auto& [name, text] : files) {
      const std::filesystem::path file = path() / name;
      std::filesystem::create_directories(file.parent_path());
      std::ofstream(file, std::ios::binary) << text;
    }
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::filesystem::path& path() const { return dir_.path(); }

 private:
  TempDir dir_;
};

}  // namespace kiln::test

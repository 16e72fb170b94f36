#pragma once

#include <string>
#include <vector>

#include "base/file.hpp"
#include "builder/definitions/fleet.hpp"

namespace kiln::init {

// A service made after another one of the fleet: its image.json with the name in it changed, and what lies beside that.
struct ServiceCopy {
  struct File {
    std::string path;  // relative to both folders
    bool is_link = false;
  };
  fs::path from;           // images/OTHER
  fs::path to;             // images/NAME
  std::string definition;  // the text of image.json
  std::vector<File> files;
  std::vector<std::string> notes;
};

// Reads what is to be copied. Error{usage} for a name that cannot be an image's or is one's already, for an unknown
// `other`, and for a folder that is there already.
ServiceCopy plan_service(const Fleet& fleet, const std::string& name, const std::string& other);

// Makes images/NAME whole or not at all.
void write_service(const ServiceCopy& copy);

}  // namespace kiln::init

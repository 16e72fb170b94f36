#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/file.hpp"

namespace kiln::init {

struct NewFile {
  std::string path;  // relative to the repository
  std::string text;
};

enum class FileOutcome {
  absent,  // not there (a look only)
  written,
  unchanged,  // there with this text
  kept,       // there with another text, which stays
};

// What writing would do. Error{usage} for a path that leads through a link or through what is no folder: nothing is
// written outside of the repository.
FileOutcome look_at_file(const fs::path& root, const NewFile& file);
// Writes what is absent, each file whole or not at all. Never over what is there.
FileOutcome write_new_file(const fs::path& root, const NewFile& file);

// JSON as people write it: two spaces, and on one line what fits there.
std::string readable_json(const nlohmann::ordered_json& value);

}  // namespace kiln::init

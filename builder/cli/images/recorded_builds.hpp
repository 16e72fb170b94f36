#pragma once

#include <string>
#include <vector>

#include "builder/cache/build_record.hpp"

namespace kiln::cli {

// Whether a build is of the fleet of the working directory: its definitions are in or below it, or it is inside of
// their repository. Builds without definitions may be of anywhere.
bool is_of_here(const BuildRecord& record);

// What a target is called: its name, else the first of its references, else its Dockerfile.
std::string title_of(const BuildRecordTarget& target);

// The builds of the fleet here, oldest first; where none has definitions, those without.
std::vector<BuildRecord> builds_of_here(const BuildRecordStore& store);

// The newest build of each target for each platform that came to an image or is what such a one is built from; those
// whose Dockerfile is no longer there are left out.
struct NewestBuild {
  const BuildRecord* record = nullptr;
  const BuildRecordTarget* target = nullptr;
};
std::vector<NewestBuild> newest_builds(const std::vector<BuildRecord>& records);

// Where a file that a record names is now: it was written as from the working directory of the build. Empty where it is
// not there.
fs::path recorded_file(const BuildRecord& record, const std::string& file);

}  // namespace kiln::cli

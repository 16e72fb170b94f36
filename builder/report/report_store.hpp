#pragma once

#include <optional>
#include <vector>

#include "base/file.hpp"
#include "builder/report/build_report.hpp"

namespace kiln {

// The last reports of this machine, in $KILN_HOME/reports: one JSON file each, NNNNNNNNNN.json, numbered from 1 in the
// order in which they were saved. Any number of kiln processes may use one folder; saving is serialised by the lock
// file, reading needs no lock. Errors are Error{machine}.
class ReportStore {
 public:
  // Both are made where missing: `folder` is HomeLayout::reports(), `lock_file` stands in HomeLayout::locks().
  ReportStore(fs::path folder, fs::path lock_file, std::size_t keep = 100);

  // Writes the report under the next number, then removes all but the newest `keep`. Returns its path.
  fs::path save(const BuildReport& report) const;
  // The newest; nullopt where there is none.
  std::optional<BuildReport> latest() const;
  // Oldest first.
  std::vector<fs::path> list() const;

 private:
  fs::path folder_;
  fs::path lock_file_;
  std::size_t keep_;
};

// `--report FILE`: replaced at once or not at all; a FILE that is no regular file (a pipe, /dev/stdout) is written to.
void write_report(const fs::path& file, const BuildReport& report);
// A report that write_report or another kiln wrote; Error{usage} where it is none, or there is no such file.
BuildReport read_report(const fs::path& file);

}  // namespace kiln

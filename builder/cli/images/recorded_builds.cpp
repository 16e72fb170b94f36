#include "builder/cli/images/recorded_builds.hpp"

#include <algorithm>
#include <set>

#include "base/paths.hpp"

namespace kiln::cli {

bool is_of_here(const BuildRecord& record) {
  if (record.fleet.empty()) return true;
  const fs::path here = fs::current_path();
  const fs::path root = record.fleet.filename() == "images" ? record.fleet.parent_path() : record.fleet;
  return is_inside(here, root) || is_inside(record.fleet, here);
}

std::string title_of(const BuildRecordTarget& target) {
  if (!target.name.empty()) return target.name;
  return target.names.empty() ? target.file : target.names.front();
}

std::vector<BuildRecord> builds_of_here(const BuildRecordStore& store) {
  std::vector<BuildRecord> records;
  for (const std::string& id : store.ids()) {
    auto record = store.load(id);
    if (record && is_of_here(*record)) records.push_back(std::move(*record));
  }
  const auto has_fleet = [](const BuildRecord& record) { return !record.fleet.empty(); };
  if (std::any_of(records.begin(), records.end(), has_fleet))
    std::erase_if(records, [&](const BuildRecord& record) { return !has_fleet(record); });
  return records;
}

fs::path recorded_file(const BuildRecord& record, const std::string& file) {
  for (const fs::path& folder : {fs::current_path(), record.fleet, record.fleet.parent_path()}) {
    std::error_code error;
    if (!folder.empty() && fs::is_regular_file(folder / file, error)) return folder / file;
  }
  return {};
}

std::vector<NewestBuild> newest_builds(const std::vector<BuildRecord>& records) {
  std::vector<NewestBuild> newest;
  std::set<std::pair<std::string, std::string>> known;
  for (auto record = records.rbegin(); record != records.rend(); ++record) {
    for (const BuildRecordTarget& target : record->targets) {
      const bool is_made = target.digest.has_value() || !record->failed;
      const bool is_gone =
          !record->fleet.empty() && !target.file.empty() && recorded_file(*record, target.file).empty();
      if (!is_made || is_gone || !known.emplace(title_of(target), target.platform).second) continue;
      newest.push_back({&*record, &target});
    }
  }
  std::sort(newest.begin(), newest.end(), [](const NewestBuild& a, const NewestBuild& b) {
    return std::pair(title_of(*a.target), a.target->platform) < std::pair(title_of(*b.target), b.target->platform);
  });
  return newest;
}

}  // namespace kiln::cli

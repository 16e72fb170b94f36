#pragma once

#include <set>
#include <vector>

#include "builder/cache/build_record.hpp"
#include "builder/plan/plan.hpp"
#include "builder/report/recorder.hpp"

namespace kiln {

// What of a build is kept for `kiln why`: its targets, and each one's steps as the recorder heard them.
class BuildLog {
 public:
  // Targets that are about to be solved: the wanted ones and what they are built from.
  void add_targets(const Plan& plan, const std::set<std::size_t>& numbers);
  // The folder of the fleet's definitions.
  void set_fleet(fs::path folder) { record_.fleet = std::move(folder); }
  void set_digest(const TargetSpec& target, const oci::Digest& manifest);
  bool empty() const noexcept { return record_.targets.empty(); }

  struct Run {
    double seconds = 0;
    bool failed = false;
    std::string kiln_version;
  };
  BuildRecord record(const std::vector<HeardStep>& steps, const Run& run) const;

 private:
  BuildRecord record_;
};

}  // namespace kiln

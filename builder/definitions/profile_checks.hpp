#pragma once

#include <string>
#include <vector>

#include "builder/definitions/fleet.hpp"

namespace kiln {

// What a profile's values say against one another, against its `machine` section, and against what torch and CUDA
// accept. The schema has looked at each value alone before.
struct ProfileFinding {
  enum class Severity {
    error,    // cannot work on that machine
    warning,  // works, and is hardly meant
  };
  Severity severity = Severity::error;
  std::string key;   // "OMP_NUM_THREADS", "machine"
  std::string text;  // "16 threads on 8 cores"

  bool operator==(const ProfileFinding&) const = default;
};

// Errors first, then by key. What `machine` does not say is not checked: no finding is no proof.
std::vector<ProfileFinding> check_profile(const Profile& profile);

}  // namespace kiln

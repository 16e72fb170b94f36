#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/file.hpp"
#include "builder/run/run_request.hpp"

namespace kiln {

// Whether the runtime makes a mount at this target: one below /dev or /sys, which it makes itself before.
bool is_made_by_runtime(const std::string& target);

// Mounts on the tree that becomes a container's root, made before the runtime mounts /proc, /dev and /sys there. They
// are made by descriptors: a target is looked up inside of the tree, through the mounts that are there already, and
// what was found is mounted on. A link in a mount (a cache may hold any) that leads to the places of the runtime, or
// that another container changes meanwhile, leads to nothing that the runtime opens or mounts on.
//
// For the worker's single thread in its own mount namespace.
class PlacedMounts {
 public:
  // `root` is a mount.
  explicit PlacedMounts(const fs::path& root);

  // Shows at the mount's target what stands at `source`, a file or a folder; a tmpfs has none. A target that is not
  // there is made in the mount that it lies in. Error{build} for one that cannot be.
  void place(const RunMount& mount, const fs::path& source, bool is_file);
  // Takes all of them away again.
  void remove() noexcept;

 private:
  struct Target {
    Fd place;
    bool is_new = false;  // nothing was there
  };
  Target target_of(const std::string& target, bool is_file) const;
  void check_place(const Fd& place, const std::string& target) const;

  Fd root_fd_;
  std::vector<Fd> placed_;
};

}  // namespace kiln

#pragma once

#include <sys/types.h>

#include "base/fd.hpp"

namespace kiln {

// What the kernel gives files that this process creates below a folder, so that no call is made to say it again: most
// entries of a layer are root's and 0644, and each chown and chmod costs a journal entry.
class NewFiles {
 public:
  // `folder` is where they are created, or above it. Error{machine} where it cannot be asked.
  explicit NewFiles(const Fd& folder);

  // Whether a new file belongs to this owner by itself.
  bool have_owner(uid_t uid, gid_t gid) const noexcept { return owner_is_ours_ && uid == uid_ && gid == gid_; }
  // Whether open(2) with this mode creates a file that has it: no umask takes a bit away, and there is no set-uid bit.
  bool take_mode(mode_t mode) const noexcept { return (mode & ~mode_t{0777}) == 0 && (mode & umask_) == 0; }

 private:
  uid_t uid_;
  gid_t gid_;
  bool owner_is_ours_ = false;  // false where a folder's group is inherited
  mode_t umask_ = 0777;
};

}  // namespace kiln

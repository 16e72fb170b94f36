#pragma once

#include <functional>
#include <string_view>

#include "base/cancel.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "builder/debian/lock.hpp"
#include "builder/debian/package_store.hpp"

namespace kiln {

// What build_rootfs makes of the same packages, as a number in lock_digest(): raised by every change of the
// bytes.
inline constexpr int kRootfsFormat = 1;

// Makes the root filesystem of a lock: an uncompressed tar (POSIX pax; names begin with "./", "./dev/" and
// "./" come first, the rest is in order of name), `WORK_DIR/rootfs.tar`, whose path is returned. The caller
// owns it, and `work_dir`, which must exist and hold no such file; everything else that is written there is
// removed again.
//
// All packages must be in the store (PackageStore::fetch). mmdebstrap installs exactly those, from a local
// repository, with no network. The same lock makes the same bytes, on any machine and in any folder: times
// are no newer than the lock's epoch, owners numeric, entries sorted.
//
// What the image is without: documentation, manual pages and translations except copyright files and the
// C.UTF-8 locale (dpkg is told so, and children's `apt-get install` behaves the same), apt's lists and
// caches, logs, /etc/resolv.conf, /etc/hostname, everything in /dev. /etc/machine-id, where there is one, is
// empty. As in docker's Debian images apt keeps no caches and packages start no services. Its apt sources
// name deb.debian.org (suite, updates, security) whatever mirror this machine used.
//
// `on_output` sees what mmdebstrap prints, as it comes. As root it runs in mount, PID, network and host name
// namespaces of its own, so that a stop leaves neither mount nor process, on a tmpfs where there is ample
// memory; as an ordinary user in mmdebstrap's unshare mode. Error{machine} where mmdebstrap, the right to
// make namespaces or the user's ID range is missing, with the command that helps; {build} with the last lines
// of the output as detail where a package refuses to be installed.
fs::path build_rootfs(const DebianLock& lock, const PackageStore& store, const fs::path& work_dir, Log& log,
                      const CancelToken& cancel, const std::function<void(std::string_view)>& on_output = {});

}  // namespace kiln

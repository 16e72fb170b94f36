#pragma once

#include "base/cancel.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "builder/debian/debian_spec.hpp"
#include "builder/debian/lock.hpp"

namespace kiln {

// Finds the exact packages that a spec comes to today: `apt-get update` against the archives in a scratch apt
// root (the machine's own apt state is neither read nor touched; its proxy and certificate settings are
// used), then apt's own solver, starting from nothing installed. Indexes are verified by `archives.keyring`;
// an index that is missing or badly signed is an error, never an older answer. The epoch is the newest date
// of the archives' Release files. Takes about 5 s.
//
//   Lock lock = Lock::read(file);
//   const DebianLock* entry = lock.find_debian(image);
//   if (!entry || spec_digest(entry->spec) != spec_digest(spec)) resolve, Lock::update(... set_debian ...)
//
// `work_dir` must exist; what is written below it is removed again. Error{usage} for a package that the suite
// does not have (nearest names added) or that cannot be installed (apt's reasons as detail), {network} where
// the mirror does not answer, {machine} where apt or the keyring is missing.
DebianLock resolve(DebianSpec spec, const DebianArchives& archives, const fs::path& work_dir, Log& log,
                   const CancelToken& cancel);

}  // namespace kiln

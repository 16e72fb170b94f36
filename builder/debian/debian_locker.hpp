#pragma once

#include <functional>
#include <string_view>

#include "base/cancel.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "builder/debian/debian_spec.hpp"
#include "builder/debian/lock.hpp"
#include "builder/debian/package_store.hpp"

namespace kiln {

// The rules by which a build goes from a definition to a lock entry whose packages are at hand; the one thing
// that `kiln bake` and `kiln lock` need of resolver, lock file and store. For one build:
//
//   DebianLocker locker({...}, policy, log, cancel);
//   DebianLock lock = locker.entry(image, spec);          // the step's key is lock_digest(lock)
//   ... on a cache miss only:
//   lock = locker.entry_with_packages(image, spec);        // the key may be another one now
//   build_rootfs(lock, locker.store(), ...)
//
// Calls for different images may come from several threads.
class DebianLocker {
 public:
  struct Places {
    fs::path lock_file;  // images/kiln.lock
    fs::path debs;       // $KILN_HOME/debs
    fs::path work_dir;   // exists; everything that is written there is removed again
  };
  using FindArchives = std::function<DebianArchives(const DebianSpec&)>;

  DebianLocker(Places places, LockPolicy policy, Log& log, const CancelToken& cancel,
               FindArchives find_archives = archives_of_host);

  const PackageStore& store() const noexcept { return store_; }

  // Whether the file has the image's entry, as the definition is now.
  bool is_locked(std::string_view image, const DebianSpec& spec) const;

  // The image's entry. Resolves and records it where the file has none, where the definition was edited since
  // (with a warning that lists what moved), or where the policy is `renew`. Frozen: Error{usage} instead. A look
  // resolves and records nothing.
  DebianLock entry(std::string_view image, const DebianSpec& spec) const;

  // The entry as the file has it (entry() where it has none), after all its packages are in the store.
  // Packages that are gone from mirror and store: resolved anew and recorded, with a warning that lists what
  // moved. Frozen: Error{network} that names them.
  DebianLock entry_with_packages(std::string_view image, const DebianSpec& spec) const;

 private:
  DebianLock resolved(std::string_view image, const DebianSpec& spec) const;
  DebianLock resolve_and_record(std::string_view image, const DebianSpec& spec) const;
  DebianLock current_entry(std::string_view image, const DebianSpec& spec) const;

  Places places_;
  LockPolicy policy_;
  Log& log_;
  CancelToken cancel_;
  FindArchives find_archives_;
  PackageStore store_;
};

}  // namespace kiln

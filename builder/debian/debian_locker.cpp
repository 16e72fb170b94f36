#include "builder/debian/debian_locker.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/join_first.hpp"
#include "builder/debian/resolver.hpp"

namespace kiln {

namespace {

// Of one line for people; the whole list is in the diff of the lock file.
constexpr std::size_t kShownItems = 12;

bool is_of(const DebianLock* entry, const DebianSpec& spec) {
  return entry != nullptr && spec_digest(entry->spec) == spec_digest(spec);
}

}  // namespace

DebianLocker::DebianLocker(Places places, LockPolicy policy, Log& log, const CancelToken& cancel,
                           FindArchives find_archives)
    : places_(std::move(places)),
      policy_(policy),
      log_(log),
      cancel_(cancel),
      find_archives_(std::move(find_archives)),
      store_(places_.debs) {}

bool DebianLocker::is_locked(std::string_view image, const DebianSpec& spec) const {
  return is_of(Lock::read(places_.lock_file).find_debian(image), spec);
}

DebianLock DebianLocker::entry(std::string_view image, const DebianSpec& spec) const {
  return policy_ == LockPolicy::renew ? resolve_and_record(image, spec) : current_entry(image, spec);
}

DebianLock DebianLocker::current_entry(std::string_view image, const DebianSpec& spec) const {
  const Lock lock = Lock::read(places_.lock_file);
  const DebianLock* found = lock.find_debian(image);
  if (is_of(found, spec)) return *found;
  if (policy_ == LockPolicy::frozen) {
    throw Error(Category::usage,
                found ? fmt::format("the definition of '{}' was edited after it was locked in '{}'; run 'kiln lock'",
                                    image, places_.lock_file.string())
                      : fmt::format("'{}' is not locked in '{}'; run 'kiln lock'", image, places_.lock_file.string()));
  }
  return policy_ == LockPolicy::look ? resolved(image, spec) : resolve_and_record(image, spec);
}

DebianLock DebianLocker::resolved(std::string_view image, const DebianSpec& spec) const {
  return with_context([&] { return fmt::format("while resolving '{}'", image); },
                      [&] { return resolve(spec, find_archives_(spec), places_.work_dir, log_, cancel_); });
}

DebianLock DebianLocker::resolve_and_record(std::string_view image, const DebianSpec& spec) const {
  const DebianLock resolved = this->resolved(image, spec);
  std::vector<std::string> changes;
  bool is_first = true;
  const Lock lock = Lock::update(places_.lock_file, [&](Lock& file) {
    if (const DebianLock* before = file.find_debian(image)) {
      is_first = false;
      changes = describe_changes(*before, resolved);
    }
    file.set_debian(image, resolved);
  });
  if (is_first) {
    log_.info(fmt::format("locked '{}': {} Debian packages", image, resolved.packages.size()));
  } else if (changes.empty()) {
    log_.info(fmt::format("locked '{}' anew: no package moved", image));
  } else {
    log_.warn(fmt::format("locked '{}' anew: {}", image, join_first(changes, kShownItems)));
  }
  return *lock.find_debian(image);
}

DebianLock DebianLocker::entry_with_packages(std::string_view image, const DebianSpec& spec) const {
  DebianLock lock = current_entry(image, spec);
  const DebianArchives archives = find_archives_(spec);
  const auto fetch = [&] {
    return with_context([&] { return fmt::format("while fetching the packages of '{}'", image); },
                        [&] { return store_.fetch(lock, archives, places_.work_dir, log_, cancel_); })
        .unavailable;
  };
  const auto names = [](const std::vector<LockedPackage>& packages) {
    std::vector<std::string> result;
    for (const LockedPackage& package : packages) result.push_back(package.name + " " + package.version);
    return join_first(result, kShownItems);
  };

  std::vector<LockedPackage> gone = fetch();
  if (gone.empty()) return lock;
  if (policy_ == LockPolicy::frozen) {
    throw Error(Category::network,
                fmt::format("locked packages of '{}' are gone from '{}': {}; run 'kiln lock --update'", image,
                            archives.debian, names(gone)));
  }
  log_.warn(fmt::format("locked packages of '{}' are gone from the mirror: {}", image, names(gone)));
  lock = resolve_and_record(image, spec);
  gone = fetch();
  if (!gone.empty()) {
    throw Error(Category::network,
                fmt::format("the mirror '{}' lists packages that it does not have: {}; try again later or name another "
                            "mirror",
                            archives.debian, names(gone)));
  }
  return lock;
}

}  // namespace kiln

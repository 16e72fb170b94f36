#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "builder/debian/debian_spec.hpp"

namespace kiln {

// What a command may do with the lock file.
enum class LockPolicy {
  use,     // what is locked stays; what is not, or cannot be had any more, is resolved and recorded
  frozen,  // --locked: the file is never changed, and what it does not say is an error
  look,    // a forecast: what `use` would come to, and the file is never changed
  renew,   // kiln lock --update: everything is resolved anew
};

// One .deb. `path` is where the mirror keeps it: the archive's name ("debian" or "debian-security"), then the
// Filename of the signed index: "debian/pool/main/b/bash/bash_5.2.15-2_amd64.deb".
struct LockedPackage {
  std::string name;
  std::string version;
  std::string architecture;  // "all" too
  std::uint64_t size_bytes = 0;
  std::string sha256;  // 64 lower-case hex digits
  std::string path;

  bool operator==(const LockedPackage&) const = default;
};

// What a DebianSpec came to: the full closure, sorted by name and architecture, and the time that its files
// may not be newer than. It decides every byte of the root filesystem (see rootfs.hpp).
struct DebianLock {
  DebianSpec spec;  // normalized; its mirrors are not kept in the lock file
  UnixSeconds epoch = 0;
  std::vector<LockedPackage> packages;

  bool operator==(const DebianLock&) const = default;
};

// "sha256:HEX" of all that decides the root filesystem's bytes: the format of build_rootfs, suite,
// components, architecture, epoch, and of each package name, version, architecture and sha256. The step's
// key.
std::string lock_digest(const DebianLock& lock);

// Lines for the user: "openssl 3.0.15-1 -> 3.0.16-1", "new: libx 1.0", "gone: liby 2.0". Empty: the same
// packages.
std::vector<std::string> describe_changes(const DebianLock& before, const DebianLock& after);

// images/kiln.lock: what names came to, so that a fleet does not change because the world did. A value; not
// for concurrent use. The file is JSON, sorted, one package a line, so that a diff of it can be read:
//
//   {"schema_version": 1,
//    "debian": {IMAGE: {"suite", "variant", "include", "architecture", "components", "epoch",
//                       "packages": [{"name", "version", "architecture", "size", "sha256", "path"}]}},
//    "images": {REFERENCE: {PLATFORM: DIGEST}}}
//
// IMAGE is the image's name, and NAME@ARCHITECTURE for a second architecture of it: callers choose, it is a
// key.
class Lock {
 public:
  // An empty lock where there is no such file. Error{usage} "FILE:LINE: what" for anything that is not such a
  // file: unknown keys and versions, wrong types, digests and paths that are none.
  static Lock read(const fs::path& path);
  static Lock parse(std::string_view text, std::string_view name);

  std::string to_text() const;
  // Atomic; does not touch the file where it already says the same.
  void write(const fs::path& path) const;

  // Reads the file, lets `change` alter the lock and writes it, with other kiln processes kept out by a lock
  // on the file's folder. Use this, not read and write, wherever two runs may record at once. Returns the new
  // lock.
  static Lock update(const fs::path& path, const std::function<void(Lock&)>& change);

  // nullptr where nothing is locked for the image. Compare spec_digest(found->spec) with the definition's:
  // where they differ the definition was edited after it was locked, and the image has to be resolved anew.
  const DebianLock* find_debian(std::string_view image) const;
  // Keeps the earlier entry, epoch and all, where the new one has the same spec and the same packages:
  // Debian's index has a new date every few hours, and that alone must change no image.
  void set_debian(std::string_view image, DebianLock entry);
  const std::map<std::string, DebianLock, std::less<>>& debian() const noexcept { return debian_; }

  // The digest "sha256:HEX" of an image reference for a platform ("linux/amd64"); nullopt where not locked.
  std::optional<std::string> find_image(std::string_view reference, std::string_view platform) const;
  void set_image(std::string_view reference, std::string_view platform, std::string_view digest);
  using Platforms = std::map<std::string, std::string, std::less<>>;
  const std::map<std::string, Platforms, std::less<>>& images() const noexcept { return images_; }

  bool operator==(const Lock&) const = default;

 private:
  std::map<std::string, DebianLock, std::less<>> debian_;
  std::map<std::string, Platforms, std::less<>> images_;
};

}  // namespace kiln

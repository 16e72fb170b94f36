#pragma once

#include <string>

#include "base/file.hpp"
#include "builder/cache/cache_backend.hpp"
#include "builder/cache/cache_prune.hpp"

namespace kiln {

// A folder, on this machine or shared by a network file system:
//
//   version              "kiln cache 1\n"; a folder with other files and no such one is refused
//   entries/HH/KEY       an entry (cache_entry.hpp), HH = the key's first two digits
//   blobs/sha256/HEX     a blob
//
// Files appear by rename, so any number of machines may use it at once. A file's time is that of its last use, to the
// hour, where who used it may set it.
class LocalBackend : public CacheBackend, public PrunableCache {
 public:
  explicit LocalBackend(fs::path folder);

  const std::string& name() const override { return name_; }
  std::vector<CacheFinding> find(std::span<const std::string> keys) override;
  void put(const CacheEntry& entry) override;
  bool remove(const CacheEntry& entry) override;
  bool has_blob(const oci::Descriptor& blob) override;
  bool is_on_this_machine() const override { return true; }
  bool get_blob(const oci::Descriptor& blob, ContentStore& store) override;
  bool put_blob(const oci::Descriptor& blob, const ContentStore& store,
                std::span<const RemoteRepository> elsewhere) override;

  // Error{usage} where the folder holds no cache.
  CacheHoldings holdings() override;
  bool remove(const HeldEntry& entry) override;
  bool remove(const HeldBlob& blob) override;

 private:
  fs::path entry_path(std::string_view key) const;
  fs::path blob_path(const oci::Digest& digest) const;
  bool is_there() const;  // Error{machine} for a folder of something else, and for a link in it where a folder belongs
  void prepare();

  fs::path folder_;
  std::string name_;
  DamagedBlobs damaged_;
};

}  // namespace kiln

#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/fd.hpp"
#include "registry/oci/descriptor.hpp"
#include "registry/oci/digest.hpp"
#include "registry/store/blob_writer.hpp"
#include "registry/store/layout.hpp"

namespace kiln {

struct LeaseFile;

// The content store: the blobs of an OCI image layout that other programs may read in place, shared by any number of
// kiln processes. Every method may be called from any thread. Reads verify: bytes that leave read() have the digest
// asked for. Errors are Error{machine}, and a damaged blob is named with the advice to run 'kiln cache verify'.
//
// What is known beside the blobs stands in headers of its own: the names of images in image_names.hpp, what layers hold
// in layer_facts.hpp, what an image needs in closure.hpp, what nothing needs any more in garbage.hpp.
class ContentStore {
 public:
  // Joins the store of `home` with a lease of this process's own.
  explicit ContentStore(HomeLayout home);
  ~ContentStore();
  ContentStore(const ContentStore&) = delete;
  ContentStore& operator=(const ContentStore&) = delete;

  const HomeLayout& home() const noexcept { return home_; }

  bool has(const oci::Digest& digest) const;
  std::optional<std::uint64_t> size_of(const oci::Digest& digest) const;
  fs::path path_of(const oci::Digest& digest) const;

  // A whole small blob, verified. Error{machine} where it is missing, damaged, or larger than max_bytes.
  std::string read(const oci::Digest& digest, std::uint64_t max_bytes = std::uint64_t{64} << 20) const;
  // The blob's file, for streaming; who reads it to the end verifies (see VerifyingReader).
  Fd open(const oci::Digest& digest) const;

  // `pages`: WriteBehind::Pages::recycle for what will not be read soon.
  BlobWriter begin_blob(WriteBehind::Pages pages = WriteBehind::Pages::keep);
  // Writes a small blob at once.
  oci::Descriptor put(std::string_view bytes, std::string media_type, Durability durability = Durability::durable);
  // Makes every blob that was committed as ephemeral durable: by fsync where they are few, so that nothing else of the
  // disk's is waited for; else by one syncfs. Those of `also` too, which another process may have written.
  void sync(const std::set<oci::Digest>& also = {});

  // Marks digests as used by this process until it ends, so that no gc takes them. begin_blob().commit() and put()
  // do it by themselves; who relies on a blob found by has() calls lease() first and has() after it. The blob's time of
  // modification becomes now: that is when it was last used.
  void lease(const oci::Digest& digest);
  // The file that says so, held for as long as this object lives.
  const fs::path& lease_file() const noexcept;

  // Whether this object has hashed the blob while it wrote it; only large ones are remembered.
  bool was_written_here(const oci::Digest& digest) const;

  // Every blob that is there, with its size and the time of its last use (see lease()).
  struct StoredBlob {
    oci::Digest digest;
    std::uint64_t bytes = 0;
    std::int64_t last_used = 0;  // Unix seconds
  };
  std::vector<StoredBlob> blobs() const;
  // Removes one blob that was found to be damaged, named or not, with what is known of it.
  void remove_damaged(const oci::Digest& digest);

 private:
  friend class BlobWriter;
  HomeLayout home_;
  std::unique_ptr<LeaseFile> lease_;
  void note_written(const oci::Digest& digest, std::uint64_t bytes);

  // Blobs that sync() has to look after.
  void note_unsynced(const oci::Digest& digest);
  void make_durable(const std::set<oci::Digest>& blobs) const;

  std::mutex unsynced_mutex_;
  std::set<oci::Digest> unsynced_;
  std::mutex sync_mutex_;
  mutable std::mutex written_mutex_;
  std::set<oci::Digest> written_;  // large blobs that this object has hashed while it wrote them
};

// What to throw for a blob whose bytes have another digest.
Error damaged_blob(const oci::Digest& digest, const oci::Digest& actual);

}  // namespace kiln

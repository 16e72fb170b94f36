#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/atomic_file.hpp"
#include "base/cancel.hpp"
#include "base/fd.hpp"
#include "base/write_behind.hpp"
#include "registry/oci/descriptor.hpp"
#include "registry/oci/digest.hpp"
#include "registry/store/layout.hpp"

namespace kiln {

class ContentStore;

// A blob on its way into the store. Bytes go to a file below tmp/, hashed as they come; commit() publishes it
// under its digest. Dropped without commit it leaves nothing. For one thread at a time.
class BlobWriter {
 public:
  BlobWriter(BlobWriter&&) noexcept;
  BlobWriter& operator=(BlobWriter&&) noexcept;
  ~BlobWriter();

  void write(std::string_view bytes);
  std::uint64_t size() const noexcept;

  // Publishes the blob (nothing is written twice: an existing one wins) and adds it to the process's lease.
  // With `expected`, Error{network} where the bytes have another digest; nothing is published then.
  // Durability::ephemeral leaves the fsync to ContentStore::sync(), which must run before the blob is named by
  // an index.json, a step record or a tag.
  oci::Digest commit(const std::optional<oci::Digest>& expected = {}, Durability durability = Durability::durable);

 private:
  friend class ContentStore;
  struct State;
  explicit BlobWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// An image (or index) that index.json names.
struct NamedImage {
  std::string name;  // org.opencontainers.image.ref.name: the full reference, or a bare local name
  oci::Descriptor descriptor;
};

// What one garbage collection did or, with DryRun, would do.
struct GarbageReport {
  std::uint64_t blobs = 0;
  std::uint64_t bytes = 0;
};

// The content store: an OCI image layout that other programs may read in place, shared by any number of kiln
// processes. Every method may be called from any thread. Reads verify: bytes that leave read() have the digest asked
// for. Errors are Error{machine}, and a damaged blob is named with the advice to run 'kiln cache verify'.
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

  // `pages`: WriteBehind::Pages::recycle for what nobody will read soon.
  BlobWriter begin_blob(WriteBehind::Pages pages = WriteBehind::Pages::keep);
  // Writes a small blob at once.
  oci::Descriptor put(std::string_view bytes, std::string media_type, Durability durability = Durability::durable);
  // Makes every blob that was committed as ephemeral durable: by fsync where they are few, so that nothing else of the
  // disk's is waited for; else by one syncfs.
  void sync();

  // Marks digests as used by this process until it ends, so that no gc takes them. begin_blob().commit() and put()
  // do it by themselves; who relies on a blob found by has() calls lease() first and has() after it. The blob's time of
  // modification becomes now: that is when it was last used.
  void lease(const oci::Digest& digest);

  // Names images in index.json in one atomic write, under the store's lock. A name that exists moves. Error{machine}
  // where a blob that an image needs is not in the store: index.json never names what is not whole. Durable when it
  // returns; where nothing changes, nothing is written.
  void publish(std::span<const NamedImage> images);
  // Takes names out; returns those that existed.
  std::vector<std::string> unpublish(std::span<const std::string> names);
  std::optional<oci::Descriptor> resolve(std::string_view name) const;
  std::vector<NamedImage> images() const;

  // All blobs an image or index needs, itself included. Error{machine} where a manifest is missing or unreadable.
  std::vector<oci::Descriptor> closure(const oci::Descriptor& root) const;
  // The members of closure() that are not in the store.
  std::vector<oci::Descriptor> missing(const oci::Descriptor& root) const;

  // The file index of a layer (by diff ID) and what a layer blob was verified to hold: small durable facts beside
  // the layout. nullopt where nobody has established them.
  std::optional<oci::Descriptor> index_of_layer(const oci::Digest& diff_id) const;
  void set_index_of_layer(const oci::Digest& diff_id, const oci::Descriptor& index);

  // The blob that a layer was compressed to as `form` ("zstd", "gzip:6"; a file name), if it is still here and was
  // verified to hold the layer; leased by this process then. The media type is left empty.
  std::optional<oci::Descriptor> form_of_layer(const oci::Digest& diff_id, std::string_view form);
  void set_form_of_layer(const oci::Digest& diff_id, std::string_view form, const oci::Descriptor& blob);
  struct BlobInfo {
    oci::Digest diff_id;
    std::uint64_t uncompressed_bytes;
  };
  std::optional<BlobInfo> blob_info(const oci::Digest& blob) const;
  void set_blob_info(const oci::Digest& blob, const BlobInfo& info);

  // Removes blobs that neither index.json, nor a pending push, nor `roots` (each for itself, not for what it refers
  // to), nor any live process's lease reaches, and temporary files that nobody holds. The file index of a layer stays
  // with the layer. Takes the store's lock exclusively. Error{machine}, and nothing is removed, where a manifest that
  // index.json reaches is damaged, since what it needs cannot be known.
  enum class DryRun { no, yes };
  GarbageReport collect_garbage(const std::set<oci::Digest>& roots, DryRun dry_run);
  // The same with roots that are asked for once leases and names stand still: what a process that ended before that has
  // recorded (a step) is then to be seen, and what belongs to a living one is leased.
  GarbageReport collect_garbage_asking(const std::function<std::set<oci::Digest>()>& roots, DryRun dry_run);
  // What living processes use, this one too.
  std::set<oci::Digest> leased() const;
  // Calls `body` where no other process has joined the store, and lets none join until it is done. False where there is
  // one.
  bool while_alone(const std::function<void()>& body) const;

  // Every blob that is there, with its size and the time of its last use (see lease()).
  struct StoredBlob {
    oci::Digest digest;
    std::uint64_t bytes = 0;
    std::int64_t last_used = 0;  // Unix seconds
  };
  std::vector<StoredBlob> blobs() const;
  // Removes one blob that was found to be damaged, whoever names it, with what is known of it.
  void remove_damaged(const oci::Digest& digest);

 private:
  friend class BlobWriter;
  struct LeaseFile;
  enum class Absent { refused, kept };  // a manifest that is not in the store: an error, or an end of the walk
  std::vector<oci::Descriptor> walk(const oci::Descriptor& root, Absent absent) const;
  std::set<oci::Digest> reachable(const std::function<std::set<oci::Digest>()>& roots) const;

  HomeLayout home_;
  std::unique_ptr<LeaseFile> lease_;
  friend class VerifyingReader;
  void note_written(const oci::Digest& digest, std::uint64_t bytes);
  bool was_written_here(const oci::Digest& digest) const;

  // Blobs that sync() has to look after.
  void note_unsynced(const oci::Digest& digest);
  void make_durable(const std::set<oci::Digest>& blobs) const;

  std::mutex unsynced_mutex_;
  std::set<oci::Digest> unsynced_;
  std::mutex sync_mutex_;
  mutable std::mutex written_mutex_;
  std::set<oci::Digest> written_;  // large blobs that this object has hashed while it wrote them
};

// Reads a blob's file and checks its digest at the end: finish() reads what is left and throws Error{machine} where the
// bytes differ. A blob that this very store object hashed while writing it is not hashed again.
class VerifyingReader {
 public:
  VerifyingReader(const ContentStore& store, const oci::Digest& digest);
  std::size_t read(void* buffer, std::size_t size);
  void finish();

 private:
  oci::Digest expected_;
  std::string name_;
  Fd fd_;
  bool is_known_ = false;
  oci::Sha256 hash_;
};

}  // namespace kiln

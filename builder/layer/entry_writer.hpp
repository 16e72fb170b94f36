#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/cancel.hpp"
#include "base/file.hpp"
#include "base/held_bytes.hpp"
#include "base/thread_pool.hpp"
#include "base/write_behind.hpp"
#include "builder/layer/file_entry.hpp"
#include "builder/layer/new_files.hpp"
#include "builder/layer/ordered_jobs.hpp"

namespace kiln {

// What an unpacked entry holds and has: the bytes of files, and owner, mode, attributes and times of everything. Errors
// are Error{machine} with the path as it is shown below the root.
//
// With a pool its threads do the work, since making and writing files costs a core as much as inflating does: large
// files in pieces, small ones many at a time. For one thread at a time.
class EntryWriter {
 public:
  // Where it writes.
  struct Root {
    const Fd& folder;
    fs::path shown;  // as messages name it
    // False where the process may not: everything is its own, and attributes of security are left out.
    bool gives_away = true;
  };

  // Takes away what has the name of a new file. Called by the thread that calls write_soon() and finish().
  using MakeRoom = std::function<void(const Fd& parent, const FileEntry& entry, const std::string& name)>;

  // `pool` may be null: then everything is written by the caller, and there is no write_soon().
  EntryWriter(Root root, ThreadPool* pool, MakeRoom make_room, const CancelToken& cancel);

  // A new file in an open folder; none, with errno, where it cannot be made.
  Fd create(const Fd& parent, const std::string& name, mode_t mode) const;

  // Writes the entry's bytes into a file of create() and then sets its properties. `read` returns at most as many bytes
  // as are asked for, and 0 only at the end. Zeros are not written, so that sparse files stay so. May return before the
  // file is whole.
  using Read = std::function<std::size_t(char* bytes, std::size_t size)>;
  void write(Fd file, const FileEntry& entry, const Read& read);

  // Whether write_soon() takes a file.
  bool takes(const FileEntry& entry) const noexcept { return jobs_ && entry.size <= kMaxBatchedBytes; }
  // Reads a small file whole; it is made some time before finish() returns.
  void write_soon(std::shared_ptr<const Fd> parent, std::string name, const FileEntry& entry, const Read& read);
  // Whether a file of write_soon() may not be there yet.
  bool is_pending(std::string_view path) const { return !pending_.empty() && pending_.count(std::string(path)) > 0; }

  // Forgets a file of write_soon(), which something of the same name follows, where no thread has begun to make it.
  bool take_back(std::string_view path);

  // Waits until every file is whole.
  void finish();

  // Of an open file or folder that was made with a mode of its own.
  void set_properties(const Fd& opened, const FileEntry& entry) const;
  // Of what is no file and no folder, by its name.
  void set_properties(const Fd& parent, const FileEntry& entry, const std::string& name) const;
  // Of a file that is there, by a name: owner, mode and time of the header of a hard link (see LinkHeaders). True where
  // it had others. A file that is still being written gets its own after that.
  bool take_header(const Fd& parent, const FileEntry& header, const std::string& name) const;

  std::string shown(std::string_view path) const { return (shown_root_ / path).native(); }

 private:
  struct Pending;
  struct Batch;
  static constexpr std::size_t kMaxBatchedBytes = std::size_t{256} << 10;
  enum class Mode { is_set, to_set };
  void set_properties(const Fd& opened, const FileEntry& entry, Mode mode) const;
  Mode mode_after_create(const FileEntry& entry) const;
  bool may_set(const std::string& attribute) const;
  void leave_out_or_throw(const std::string& attribute, const std::string& path) const;
  void write_alone(const Fd& file, const FileEntry& entry, const Read& read);
  void write_in_pieces(Fd file, const FileEntry& entry, const Read& read);
  void write_piece(const std::shared_ptr<Pending>& pending, std::uint64_t at, std::string_view piece);
  void send_batch();
  void write_batch(Batch& batch) const;
  void write_whole(const Fd& file, const FileEntry& entry, std::string_view bytes) const;
  void settle(const std::shared_ptr<Batch>& batch);

  fs::path shown_root_;
  bool gives_away_;
  const CancelToken& cancel_;
  std::string buffer_;
  HeldBytes held_;
  NewFiles new_files_;
  WriteBehind behind_{WriteBehind::Pages::recycle};
  MakeRoom make_room_;
  std::shared_ptr<Batch> batch_;             // not sent yet
  std::unordered_set<std::string> pending_;  // paths of files in batches that were not settled
  std::optional<OrderedJobs<std::shared_ptr<Batch>>>
      jobs_;  // the last member: its jobs use the others; nullptr for a piece
};

}  // namespace kiln

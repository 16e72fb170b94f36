#pragma once

#include <string>
#include <string_view>

#include "base/fd.hpp"
#include "base/file.hpp"

namespace kiln {

enum class Durability {
  durable,    // fsync of the file and of its folder: what is published survives a power cut
  ephemeral,  // rename only: readers see the old or the new content, a crash may lose the new one
};

// A file that appears under its name whole or not at all: written under a temporary name in the same folder,
// renamed by commit(). The destructor removes the temporary file and never commits. The folder is opened once: what
// takes its name meanwhile gets no file. A temporary name that others have taken, be it by a link, is left to them.
class AtomicFile {
 public:
  explicit AtomicFile(const fs::path& target, unsigned mode = 0644);
  // In a folder that is open, which `target` names in messages.
  AtomicFile(Fd folder, fs::path target, unsigned mode = 0644);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(std::string_view bytes);
  const Fd& fd() const noexcept { return fd_; }
  void commit(Durability durability = Durability::durable);

 private:
  Fd folder_;
  fs::path target_;
  std::string name_;
  std::string temporary_;  // beside it; empty: there is none
  Fd fd_;
};

void write_file_atomically(const fs::path& path, std::string_view bytes, Durability durability = Durability::durable,
                           unsigned mode = 0644);

}  // namespace kiln

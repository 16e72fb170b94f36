#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "builder/dockerfile/ignore.hpp"
#include "builder/layer/living_files.hpp"
#include "builder/layer/tree_scanner.hpp"

namespace kiln {

// How files of a build context are taken.
enum class ContextModes {
  as_on_disk,  // docker: the modes of the files
  as_in_git,   // 0755 for folders and what its owner may execute, else 0644: a checkout's umask changes nothing
};

// A folder on disk, and what of it counts.
struct ContextFolder {
  fs::path root;
  dockerfile::IgnoreMatcher ignore;
  ContextModes modes = ContextModes::as_on_disk;
  std::string description = "the build context";  // for messages
  LivingFiles::Writers writers = LivingFiles::Writers::others;
};

// The list of what is in a context, as its ignore file leaves it, made once. Any thread.
class ScannedContext {
 public:
  // Lists the folder, which is borrowed.
  ScannedContext(const ContextFolder& folder, const HashTools& tools);

  // Entries in their order; never changed, but for forget_contents().
  const ScannedTree& tree() const noexcept { return tree_; }
  // Digests that the stat cache knew are no longer said: by the time a caller asks, the file may be another.
  void forget_contents();

  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  // An entry's number; kNone where there is none. Quick where paths are asked for in entry order.
  std::size_t find(std::string_view path) const;
  // Error{build} for a path in a folder that may not be read: what is there is not known.
  void refuse_below_unreadable(std::string_view path) const;
  // The numbers of the entries at and below a path; `visit` returns false to keep out of a folder.
  void walk(std::string_view path, const std::function<bool(std::size_t)>& visit) const;
  // The same text for two names of one file (hard links); empty where a path has no other name.
  std::string identity(std::string_view path) const;

 private:
  const ContextFolder& folder_;
  ScannedTree tree_;
  mutable std::atomic<std::size_t> last_found_{0};  // where find() looks first
};

}  // namespace kiln

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/cancel.hpp"
#include "base/file.hpp"
#include "base/thread_pool.hpp"
#include "builder/layer/byte_source.hpp"
#include "builder/layer/stat_cache.hpp"
#include "builder/layer/tree_scanner.hpp"

namespace kiln {

// With what the files of a folder are listed and hashed. The stat cache may be missing; both are borrowed.
struct HashTools {
  ThreadPool& pool;
  CancelToken cancel;
  StatCache* stat_cache = nullptr;
};

// The contents of a scanned folder while people and programs go on writing to it: a file is what it was when it was
// read, for its digest and for its layer alike.
//
// A file that was written to within the two seconds before, or while it is read, is copied as it is read, once, and the
// copy is used from then on; one that grows is cut at the length it had. Any other is not copied: it is read again
// where its bytes are wanted, and asked for its times first. What was read a second or more ago is read anew where
// those changed, so that a step has what is there when it is evaluated.
//
// Any thread; read() must not be called from a job of the pool.
class LivingFiles {
 public:
  enum class Writers { others, none };  // none: the folder is this process's own, so nothing is copied
  // `tree` is borrowed and never changes. The digests that its scan knew are taken over.
  LivingFiles(const fs::path& root, const ScannedTree& tree, HashTools tools, Writers writers = Writers::others);
  ~LivingFiles();

  struct Content {
    oci::Digest digest;  // empty: it is no file, or no longer there
    std::uint64_t size = 0;
  };
  // By the tree's numbers, in their order. Error{build} for a file that may not be read.
  std::vector<Content> read(std::span<const std::size_t> numbers);
  bool is_gone(std::size_t number) const;
  // The bytes that were read, or those there are where nothing was read yet. Error{build}, "changed while it was being
  // read", for a file that was not copied and no longer begins with them.
  std::unique_ptr<ByteSource> open(std::size_t number) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kiln

#pragma once

#include <cstddef>
#include <string>

#include "registry/store/content_store.hpp"

namespace kiln {

// Reads a blob's file and checks its digest at the end: finish() reads what is left and throws Error{machine} where the
// bytes differ. A blob that this very store object hashed while writing it is not hashed again.
class VerifyingReader {
 public:
  // Error{machine} where the blob is not in the store.
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

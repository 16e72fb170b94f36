#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "registry/oci/descriptor.hpp"
#include "registry/remote/http.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

class RegistryClient;

// Something whose bytes can be uploaded, from the start or from an offset. Used by one thread at a time.
class UploadSource {
 public:
  virtual ~UploadSource() = default;
  // A body with bytes [offset, offset + size) of the blob.
  virtual std::shared_ptr<RequestBody> open(std::uint64_t offset, std::uint64_t size) = 0;
};

// Bytes moved so far.
using ByteProgress = std::function<void(std::uint64_t)>;

std::unique_ptr<UploadSource> stored_blob(const ContentStore& store, const oci::Descriptor& blob);
// Streams from another registry while it is uploaded; what came through is hashed, and a wrong digest fails.
std::unique_ptr<UploadSource> remote_blob(RegistryClient from, std::string repository, const oci::Descriptor& blob);
// Of a small blob in memory.
std::unique_ptr<UploadSource> bytes_of_blob(std::string bytes);

}  // namespace kiln

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "registry/oci/descriptor.hpp"
#include "registry/remote/registry_transport.hpp"
#include "registry/remote/remote_session.hpp"
#include "registry/remote/upload_source.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// One blob on its way from a registry. For one thread.
class BlobDownload {
 public:
  // Error{network} for a digest that is not sha256.
  BlobDownload(RemoteSession& session, RegistryTransport& transport, const std::string& repository,
               const oci::Descriptor& blob);

  // Bytes [offset, blob.size), going on by range after faults, until the sink says stop. The digest is for the caller
  // to check; the size is checked. What each of the three returns is the answer that the repository does not have the
  // blob (404); nullopt where it was had.
  std::optional<RegistryAnswer> stream(std::uint64_t offset, const BodySink& sink);
  // Into the store, verified; nothing is published under a wrong digest. A blob that arrives with a wrong digest is
  // fetched once more before that is an error. Nothing is done where the store has it.
  std::optional<RegistryAnswer> store(ContentStore& store, Durability durability, const ByteProgress& progress,
                                      WriteBehind::Pages pages);
  // A whole small blob, verified in the same way.
  std::optional<RegistryAnswer> read(std::uint64_t max_bytes, std::string& bytes);
  // For those who cannot do without the blob.
  [[noreturn]] void refuse(const RegistryAnswer& answer);

 private:
  Error wrong_size(std::string_view got) const;
  std::string shown_repository() const;

  RemoteSession& session_;
  RegistryTransport& transport_;
  const std::string& repository_;
  const oci::Descriptor& blob_;
};

}  // namespace kiln

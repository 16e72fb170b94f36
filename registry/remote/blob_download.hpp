#pragma once

#include <cstdint>
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
  // to check; the size is checked.
  void stream(std::uint64_t offset, const BodySink& sink);
  // Into the store, verified; nothing is published under a wrong digest. A blob that arrives with a wrong digest is
  // fetched once more before that is an error. Nothing is done where the store has it.
  void store(ContentStore& store, Durability durability, const ByteProgress& progress, WriteBehind::Pages pages);
  // A whole small blob, verified in the same way.
  std::string bytes(std::uint64_t max_bytes);

 private:
  Error wrong_size(std::string_view got) const;
  [[noreturn]] void refuse(const RegistryAnswer& answer);
  std::string shown_repository() const;

  RemoteSession& session_;
  RegistryTransport& transport_;
  const std::string& repository_;
  const oci::Descriptor& blob_;
};

}  // namespace kiln

#pragma once

#include <cstdint>
#include <string_view>

#include "registry/oci/descriptor.hpp"

namespace kiln {

enum class TransferDirection { pull, push };

enum class TransferOutcome {
  transferred,
  skipped,  // it was there
  mounted,  // the registry took it from another of its repositories
  failed,
  deferred,  // not now; nothing is wrong yet: what it is needed for deals with it again
};

// Where one blob (or manifest) goes from or to. The references are borrowed for the call.
struct Transfer {
  TransferDirection direction;
  std::string_view repository;  // registry/repository
  const oci::Descriptor& blob;
};

// Is told about transfers. Called from many threads at once; each transfer starts once and ends once, and may
// advance in between; after a fault `done_bytes` may fall back. The defaults do nothing.
class TransferObserver {
 public:
  virtual ~TransferObserver() = default;
  virtual void transfer_started(const Transfer&) {}
  virtual void transfer_advanced(const Transfer&, std::uint64_t /*done_bytes*/) {}
  virtual void transfer_ended(const Transfer&, TransferOutcome) {}
  // A tag now names `blob`, and did so already where `outcome` is skipped.
  virtual void tag_done(std::string_view /*reference*/, const oci::Descriptor& /*manifest*/, TransferOutcome) {}
};

}  // namespace kiln

#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "registry/oci/digest.hpp"

namespace kiln {

// The first bytes of layers' files as they were read before ("" where a layer has no such file), so that the images of
// a fleet inflate a layer that they share once. Any thread.
class FileHeads {
 public:
  std::optional<std::string> find(const oci::Digest& diff_id, const std::string& path) const {
    const std::lock_guard lock(mutex_);
    const auto it = heads_.find({diff_id, path});
    return it == heads_.end() ? std::nullopt : std::optional(it->second);
  }
  void remember(const oci::Digest& diff_id, const std::string& path, std::string head) {
    const std::lock_guard lock(mutex_);
    heads_.insert_or_assign({diff_id, path}, std::move(head));
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<oci::Digest, std::string>, std::string> heads_;
};

}  // namespace kiln

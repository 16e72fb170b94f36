#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "registry/remote/push_parts.hpp"

namespace kiln {

// What ghcr.io will not take, foreseen before bytes are sent; other registries have no limits. Any thread.
class PushLimits {
 public:
  // `origin`: see PushOptions::origin; may be empty. The store is borrowed.
  PushLimits(const ContentStore& store, std::function<std::string(const oci::Digest&)> origin);

  // Error{network} naming the first layer that is refused for its size.
  void check_sizes(std::string_view registry, const PushParts& parts) const;
  // Error{network} naming the blob, one of `parts`, where it needs more time than there is; 0 bytes a second: not
  // known.
  void check_duration(std::string_view registry, const PushParts& parts, const oci::Descriptor& blob,
                      double bytes_per_second) const;
  // Whether the images should say where they come from and do not (names_its_source). A config that cannot be read says
  // enough: what is told by this is no more than advice.
  bool lacks_source(std::string_view registry, const PushParts& parts) const;

 private:
  void check(const PushParts& parts, const oci::Descriptor& blob, double bytes_per_second) const;

  const ContentStore& store_;
  std::function<std::string(const oci::Digest&)> origin_;
};

}  // namespace kiln

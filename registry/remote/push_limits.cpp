#include "registry/remote/push_limits.hpp"

#include "base/error.hpp"
#include "registry/remote/ghcr.hpp"

namespace kiln {

PushLimits::PushLimits(const ContentStore& store, std::function<std::string(const oci::Digest&)> origin)
    : store_(store), origin_(std::move(origin)) {}

void PushLimits::check_sizes(std::string_view registry, const PushParts& parts) const {
  if (!ghcr::is_ghcr(registry)) return;
  for (const oci::Descriptor& blob : parts.blobs) check(parts, blob, 0);
}

void PushLimits::check_duration(std::string_view registry, const PushParts& parts, const oci::Descriptor& blob,
                                double bytes_per_second) const {
  if (ghcr::is_ghcr(registry)) check(parts, blob, bytes_per_second);
}

bool PushLimits::lacks_source(std::string_view registry, const PushParts& parts) const {
  if (!ghcr::is_ghcr(registry)) return false;
  try {
    return !names_its_source(store_, parts);
  } catch (const Error&) {
    return false;
  }
}

void PushLimits::check(const PushParts& parts, const oci::Descriptor& blob, double bytes_per_second) const {
  if (!ghcr::upload_objection(blob, "", bytes_per_second)) return;
  const std::string origin = origin_ ? origin_(blob.digest) : std::string();
  const std::string name = name_of_blob(store_, parts, blob.digest);
  throw Error(Category::network,
              *ghcr::upload_objection(blob, origin.empty() ? name : origin + ": " + name, bytes_per_second));
}

}  // namespace kiln

#include "builder/cli/images/image_documents.hpp"

#include <fmt/format.h>

#include <set>

#include "base/error.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/remote/pull.hpp"

namespace kiln::cli {

namespace {

class DocumentFetcher {
 public:
  DocumentFetcher(RegistrySession& session, const oci::Reference& source)
      : session_(session),
        client_(session.remote().client_for(source)),
        place_(session.remote().repository_of(source)) {}

  oci::Descriptor fetch(const std::string& key, const std::optional<oci::Descriptor>& expected, int depth = 0) {
    if (depth > oci::kMostIndexNesting)
      refuse(fmt::format("its indexes are nested more than {} deep", oci::kMostIndexNesting));
    if (++count_ > oci::kMostImageDocuments)
      refuse(fmt::format("it has more than {} manifests", oci::kMostImageDocuments));
    const FetchedManifest fetched = client_.fetch_manifest(place_.repository, key, expected);
    const std::string where = fmt::format("'{}@{}'", place_.name(), fetched.descriptor.digest.str());
    session_.store().put(fetched.bytes, fetched.descriptor.media_type);
    if (oci::media_type::is_index(fetched.descriptor.media_type)) {
      // An index may list one manifest often, and a few indexes that list one another so lead to it any number of
      // times.
      for (const oci::Descriptor& child : oci::parse_index(fetched.bytes, where).manifests) {
        if (seen_.insert(child.digest).second) fetch(child.digest.str(), child, depth + 1);
      }
      return fetched.descriptor;
    }
    const oci::Manifest manifest = oci::parse_manifest(fetched.bytes, where);
    fetch_blob(session_.remote(), session_.store(), manifest.config, place_);
    for (const oci::Descriptor& layer : manifest.layers) session_.remote().locations().add(layer.digest, place_);
    return fetched.descriptor;
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(Category::network, fmt::format("image of '{}': {}", place_.name(), why));
  }

  RegistrySession& session_;
  RegistryClient client_;
  RemoteRepository place_;
  std::set<oci::Digest> seen_;
  std::size_t count_ = 0;
};

}  // namespace

oci::Descriptor fetch_documents(RegistrySession& session, const oci::Reference& source) {
  return DocumentFetcher(session, source).fetch(source.manifest_key(), std::nullopt);
}

}  // namespace kiln::cli

#include "builder/cli/images/image_documents.hpp"

#include <fmt/format.h>

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

  oci::Descriptor fetch(const std::string& key, const std::optional<oci::Descriptor>& expected) {
    const FetchedManifest fetched = client_.fetch_manifest(place_.repository, key, expected);
    const std::string where = fmt::format("'{}@{}'", place_.name(), fetched.descriptor.digest.str());
    session_.store().put(fetched.bytes, fetched.descriptor.media_type);
    if (oci::media_type::is_index(fetched.descriptor.media_type)) {
      for (const oci::Descriptor& child : oci::parse_index(fetched.bytes, where).manifests)
        fetch(child.digest.str(), child);
      return fetched.descriptor;
    }
    const oci::Manifest manifest = oci::parse_manifest(fetched.bytes, where);
    fetch_blob(session_.remote(), session_.store(), manifest.config, place_);
    for (const oci::Descriptor& layer : manifest.layers) session_.remote().locations().add(layer.digest, place_);
    return fetched.descriptor;
  }

 private:
  RegistrySession& session_;
  RegistryClient client_;
  RemoteRepository place_;
};

}  // namespace

oci::Descriptor fetch_documents(RegistrySession& session, const oci::Reference& source) {
  return DocumentFetcher(session, source).fetch(source.manifest_key(), std::nullopt);
}

}  // namespace kiln::cli

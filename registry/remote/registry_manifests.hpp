#pragma once

#include <optional>
#include <string>

#include "registry/oci/descriptor.hpp"
#include "registry/oci/digest.hpp"
#include "registry/remote/registry_transport.hpp"
#include "registry/remote/remote_session.hpp"

namespace kiln {

// A manifest or index as the registry sent it, byte for byte.
struct FetchedManifest {
  oci::Descriptor descriptor;  // media type, digest and size of `bytes`
  std::string bytes;
};

// What a registry makes of the `subject` of a manifest that it took (OCI-Subject of distribution-spec, "Pushing
// Manifests with Subject").
enum class SubjectAnswer {
  listed,   // it lists the manifest among the subject's referrers
  ignored,  // it says nothing: the fallback tag is for the client to write
};

// The manifests of one registry, by a tag or a digest ("key"). What each method does: RegistryClient. Any thread.
class RegistryManifests {
 public:
  RegistryManifests(RemoteSession& session, RegistryTransport& transport) : session_(session), transport_(transport) {}

  std::optional<oci::Descriptor> resolve(const std::string& repository, const std::string& key);
  FetchedManifest fetch(const std::string& repository, const std::string& key,
                        const std::optional<oci::Descriptor>& expected);
  std::optional<FetchedManifest> find(const std::string& repository, const std::string& key,
                                      const std::optional<oci::Descriptor>& expected);
  std::optional<FetchedManifest> find_any(const std::string& repository, const std::string& key);
  oci::Descriptor put(const std::string& repository, const std::string& key, const std::string& bytes,
                      const std::string& media_type);
  SubjectAnswer put_unlisted(const std::string& repository, const std::string& key, const std::string& bytes,
                             const std::string& media_type);
  void add_to_fallback_tag(const std::string& repository, const oci::Digest& subject, const oci::Descriptor& entry);
  bool remove(const std::string& repository, const std::string& key);

 private:
  enum class Unreadable { refused, taken };
  RegistryAnswer ask(const std::string& repository, const std::string& key);
  FetchedManifest read(RegistryAnswer answer, const std::string& repository, const std::string& key,
                       const std::optional<oci::Descriptor>& expected, Unreadable unreadable);
  void check_stored(const std::string& repository, const oci::Descriptor& descriptor, const std::string& where);
  RegistryAnswer send(const std::string& repository, const std::string& key, const std::string& bytes,
                      const oci::Descriptor& descriptor);

  RemoteSession& session_;
  RegistryTransport& transport_;
};

// The tag that lists a manifest's referrers where the registry has no referrers API: "sha256-<hex>".
std::string referrers_fallback_tag(const oci::Digest& subject);

}  // namespace kiln

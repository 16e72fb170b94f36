#include "builder/cli/images/attached_artifacts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "builder/cli/images/image_documents.hpp"
#include "builder/sign/image_signatures.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/remote/push.hpp"
#include "registry/remote/referrers.hpp"

namespace kiln::cli {

namespace {

using oci::Descriptor;
using oci::Digest;

constexpr std::size_t kMostAttached = 1000;  // all that is copied along with one image
constexpr int kMostAttachedDepth = 4;        // a signature of an SBOM of an image is two deep

class AttachedCopy {
 public:
  AttachedCopy(RegistrySession& session, const oci::Reference& source, const oci::Reference& destination)
      : session_(session),
        source_(oci::Reference::parse(source.name())),
        destination_(oci::Reference::parse(destination.name())),
        from_(session.remote().client_for(source)),
        to_(session.remote().client_for(destination)),
        from_place_(session.remote().repository_of(source)),
        to_place_(session.remote().repository_of(destination)) {}

  bool is_within_one_repository() const { return from_place_ == to_place_; }

  void copy_of(const Digest& subject, int depth) {
    if (depth > kMostAttachedDepth || !seen_.insert(subject).second) return;
    copy_referrers(subject, depth);
    copy_tag(subject, ".sig", true);
    copy_tag(subject, ".att", true);
    copy_tag(subject, ".sbom", false);
  }

  std::size_t copied() const { return copied_; }

 private:
  void copy_referrers(const Digest& subject, int depth) {
    const std::vector<Referrer> wanted = list_referrers(from_, from_place_.repository, subject);
    if (wanted.empty()) return;
    std::vector<Digest> there;
    for (const Referrer& referrer : wanted) {
      // What is listed need not be there.
      if (!from_.resolve(from_place_.repository, referrer.descriptor.digest.str())) continue;
      count_one();
      there.push_back(referrer.descriptor.digest);
    }
    std::set<Digest> of_others;
    for (const Digest& digest : there) {
      const Descriptor root = fetch_documents(session_, source_.with_digest(digest));
      const auto named = subject_of(root);
      if (named && *named != subject) {
        of_others.insert(digest);
        session_.remote().log().warn(fmt::format("'{}' is listed as attached to {} and is not: it names {}; not copied",
                                                 source_.with_digest(digest).str(), subject.str(), named->str()));
        continue;
      }
      push(root, destination_.with_digest(digest));
      copy_of(digest, depth + 1);
    }
    const std::vector<Referrer> listed = list_referrers(to_, to_place_.repository, subject);
    for (const Referrer& referrer : wanted) {
      const auto is_it = [&](const Referrer& other) { return other.descriptor.digest == referrer.descriptor.digest; };
      if (of_others.contains(referrer.descriptor.digest) || std::any_of(listed.begin(), listed.end(), is_it)) continue;
      if (!to_.resolve(to_place_.repository, referrer.descriptor.digest.str())) continue;
      Descriptor entry = referrer.descriptor;
      entry.artifact_type = referrer.artifact_type;
      entry.annotations = referrer.annotations;
      to_.add_to_fallback_tag(to_place_.repository, subject, entry);
    }
  }

  void copy_tag(const Digest& subject, const char* ending, bool is_list) {
    const std::string tag = referrers_fallback_tag(subject) + ending;
    const auto wanted = from_.resolve(from_place_.repository, tag);
    if (!wanted) return;
    const auto there = to_.resolve(to_place_.repository, tag);
    if (there && (there->digest == wanted->digest || !is_list)) return;
    count_one();
    const oci::Reference target = destination_.with_tag(tag);
    const Descriptor fetched = fetch_documents(session_, source_.with_tag(tag));
    if (!there) return push(fetched, target);
    oci::Manifest own = manifest_in_store(fetch_documents(session_, target), target);
    const std::size_t before = own.layers.size();
    const TaggedSignatures both =
        with_more_signatures(std::move(own), manifest_in_store(fetched, source_.with_tag(tag)).layers);
    if (both.manifest.layers.size() == before) return;
    session_.store().put(both.config, both.manifest.config.media_type);
    push(session_.store().put(oci::serialise(both.manifest), both.manifest.media_type), target);
  }

  oci::Manifest manifest_in_store(const Descriptor& descriptor, const oci::Reference& name) {
    return oci::parse_manifest(session_.store().read(descriptor.digest), fmt::format("'{}'", name.str()));
  }

  // What an artifact itself says that it is attached to.
  std::optional<Digest> subject_of(const Descriptor& root) {
    const oci::Reference name = source_.with_digest(root.digest);
    const std::optional<Descriptor> subject =
        oci::media_type::is_index(root.media_type)
            ? oci::parse_index(session_.store().read(root.digest), fmt::format("'{}'", name.str())).subject
            : manifest_in_store(root, name).subject;
    return subject ? std::optional(subject->digest) : std::nullopt;
  }

  // Before any work for it.
  void count_one() {
    if (++count_ > kMostAttached) {
      throw Error(Category::network, fmt::format("more than {} artifacts hang on '{}', which are not copied",
                                                 kMostAttached, source_.name()));
    }
  }

  void push(const Descriptor& root, const oci::Reference& target) {
    const PushOutcome outcome =
        push_image(session_.remote(), session_.store(), {root, {target}}, {}, &session_.transfers());
    if (outcome.targets.front().outcome == TransferOutcome::transferred) ++copied_;
  }

  RegistrySession& session_;
  oci::Reference source_;
  oci::Reference destination_;
  RegistryClient from_;
  RegistryClient to_;
  RemoteRepository from_place_;
  RemoteRepository to_place_;
  std::set<Digest> seen_;
  std::size_t count_ = 0;
  std::size_t copied_ = 0;
};

}  // namespace

std::size_t copy_attached(RegistrySession& session, const oci::Reference& source, const oci::Reference& destination,
                          const oci::Descriptor& root) {
  AttachedCopy copy(session, source, destination);
  if (copy.is_within_one_repository()) return 0;
  copy.copy_of(root.digest, 1);
  if (oci::media_type::is_index(root.media_type)) {
    const oci::Index index = oci::parse_index(session.store().read(root.digest), fmt::format("'{}'", source.str()));
    for (const Descriptor& child : index.manifests) copy.copy_of(child.digest, 1);
  }
  return copy.copied();
}

}  // namespace kiln::cli

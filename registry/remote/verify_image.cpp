#include "registry/remote/verify_image.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "base/thread_pool.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/remote/registry_client.hpp"

namespace kiln {

namespace {

struct BlobQuestion {
  std::size_t image;
  oci::Descriptor blob;
  std::string problem;
};

// Walks one image's manifests and notes the blobs they need.
class ManifestWalk {
 public:
  ManifestWalk(RegistryClient client, std::string repository, ImageVerdict& verdict)
      : client_(std::move(client)), repository_(std::move(repository)), verdict_(verdict) {}

  // `depth`: of indexes around it.
  void walk(const oci::Descriptor& wanted, int depth) {
    if (!seen_.insert(wanted.digest).second) return;
    if (verdict_.manifests >= oci::kMostImageDocuments)
      throw Error(Category::network, fmt::format("it has more than {} manifests", oci::kMostImageDocuments));
    const bool is_known = wanted.size != 0 && !wanted.media_type.empty();
    const auto found =
        client_.find_manifest(repository_, wanted.digest.str(), is_known ? std::optional(wanted) : std::nullopt);
    if (!found) {
      verdict_.problems.push_back(fmt::format("manifest '{}': the repository does not have it", wanted.digest.str()));
      return;
    }
    const FetchedManifest& fetched = *found;
    if (fetched.descriptor.digest != wanted.digest) {
      throw Error(Category::network,
                  fmt::format("expected digest '{}', got '{}'", wanted.digest.str(), fetched.descriptor.digest.str()));
    }
    if (depth == 0) verdict_.root = fetched.descriptor;
    ++verdict_.manifests;
    verdict_.bytes += fetched.bytes.size();
    const std::string where = fmt::format("manifest '{}'", wanted.digest.str());
    if (oci::media_type::is_index(fetched.descriptor.media_type)) {
      if (depth >= oci::kMostIndexNesting)
        throw Error(Category::network, fmt::format("indexes are nested more than {} deep", oci::kMostIndexNesting));
      for (const oci::Descriptor& child : oci::parse_index(fetched.bytes, where).manifests) walk(child, depth + 1);
      return;
    }
    const oci::Manifest manifest = oci::parse_manifest(fetched.bytes, where);
    need(manifest.config);
    for (const oci::Descriptor& layer : manifest.layers) {
      if (!oci::media_type::is_foreign_layer(layer.media_type)) need(layer);
    }
  }

  std::vector<oci::Descriptor> blobs;

 private:
  void need(const oci::Descriptor& blob) {
    if (!seen_.insert(blob.digest).second) return;
    ++verdict_.blobs;
    verdict_.bytes += blob.size;
    blobs.push_back(blob);
  }

  RegistryClient client_;
  std::string repository_;
  ImageVerdict& verdict_;
  std::set<oci::Digest> seen_;
};

}  // namespace

std::vector<ImageVerdict> verify_images(RemoteSession& session, std::span<const ImageAtRegistry> images) {
  std::vector<ImageVerdict> verdicts(images.size());
  std::vector<std::vector<oci::Descriptor>> blobs(images.size());
  ThreadPool pool(std::max<std::size_t>(1, session.settings().parallel_requests));
  pool.parallel_for(images.size(), [&](std::size_t i) {
    with_context(
        [&] { return fmt::format("while looking at '{}@{}'", images[i].place.name(), images[i].root.digest.str()); },
        [&] {
          verdicts[i].root = images[i].root;
          ManifestWalk walk(session.client(images[i].place.endpoint), images[i].place.repository, verdicts[i]);
          walk.walk(images[i].root, 0);
          blobs[i] = std::move(walk.blobs);
        });
  });
  std::vector<BlobQuestion> questions;
  for (std::size_t i = 0; i < images.size(); ++i) {
    for (oci::Descriptor& blob : blobs[i]) questions.push_back({i, std::move(blob), {}});
  }
  pool.parallel_for(questions.size(), [&](std::size_t i) {
    BlobQuestion& question = questions[i];
    const RemoteRepository& place = images[question.image].place;
    const BlobPresence found = session.client(place.endpoint).find_blob(place.repository, question.blob.digest);
    if (!found.is_there) {
      question.problem = fmt::format("blob '{}': expected {} bytes, the repository does not have it",
                                     question.blob.digest.str(), question.blob.size);
    } else if (!found.matches(question.blob)) {
      question.problem = fmt::format("blob '{}': expected {} bytes, the repository has {}", question.blob.digest.str(),
                                     question.blob.size, *found.size);
    }
  });
  for (BlobQuestion& question : questions) {
    if (!question.problem.empty()) verdicts[question.image].problems.push_back(std::move(question.problem));
  }
  return verdicts;
}

}  // namespace kiln

#include "builder/build/attachment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/thread_pool.hpp"
#include "builder/attest/attestation_manifest.hpp"
#include "registry/remote/referrers.hpp"
#include "registry/store/attached.hpp"

namespace kiln {

namespace {

// A repository that an image was pushed to.
struct AttachPlace {
  RemoteRepository repository;
  bool is_new = false;  // the push put something there
};

// Announces the attaching to one image as a piece of work.
class AttachTask {
 public:
  AttachTask(Recorder& recorder, const std::string& name) : recorder_(recorder), number_(recorder.new_number()) {
    StepView view;
    view.number = number_;
    view.text = "attach to " + name;
    view.tally = "attestations attached";
    recorder_.step_started(view);
  }
  AttachTask(const AttachTask&) = delete;
  AttachTask& operator=(const AttachTask&) = delete;
  ~AttachTask() { recorder_.task_finished(number_, is_done_ ? "" : "failed"); }
  void done() { is_done_ = true; }

 private:
  Recorder& recorder_;
  int number_;
  bool is_done_ = false;
};

// Attaches to one image in one repository.
class ImageAttachment {
 public:
  ImageAttachment(Workshop& shop, const AttachPlace& place, const AttestedImage& image)
      : shop_(shop),
        place_(place),
        image_(image),
        client_(shop.remote().get().client(place.repository.endpoint)),
        name_(place.repository.name()) {}

  void run() {
    std::vector<const Attestation*> open;
    for (const Attestation& attestation : image_.attestations) {
      const bool is_known = !place_.is_new && was_attached(shop_.store(), digest(), attestation.key, name_);
      if (!is_known) open.push_back(&attestation);
    }
    if (open.empty()) return;
    AttachTask task(shop_.recorder(), fmt::format("{}@{}", name_, digest().short_hex()));
    std::set<std::string> there;
    for (const Referrer& referrer :
         list_referrers(client_, place_.repository.repository, digest(), oci::media_type::kInToto)) {
      const auto key = referrer.annotations.find(kAttestationKeyAnnotation);
      if (key != referrer.annotations.end()) there.insert(key->second);
    }
    for (const Attestation* attestation : open) {
      if (!there.count(attestation->key)) attach(*attestation);
      note_attached(shop_.store(), digest(), attestation->key, name_);
    }
    task.done();
  }

 private:
  const oci::Digest& digest() const { return image_.manifest.digest; }

  void attach(const Attestation& attestation) {
    const Statement statement = attestation.make();
    Artifact artifact;
    artifact.artifact_type = oci::media_type::kInToto;
    artifact.layers.push_back(
        {oci::media_type::kInToto, statement.text, {{kPredicateTypeAnnotation, statement.predicate_type}}});
    artifact.annotations = {{kPredicateTypeAnnotation, statement.predicate_type},
                            {kAttestationKeyAnnotation, attestation.key}};
    const AttachedReferrer attached = attach_referrer(client_, place_.repository.repository, image_.manifest, artifact);
    if (attached.refusal.empty()) return;
    shop_.recorder().warn(
        fmt::format("registry '{}' takes no artifact with a subject, so the tag 'sha256-{}' alone tells what is said "
                    "of the image: {}",
                    place_.repository.endpoint.authority, std::string(digest().hex()), attached.refusal));
  }

  Workshop& shop_;
  const AttachPlace& place_;
  const AttestedImage& image_;
  RegistryClient client_;
  std::string name_;
};

}  // namespace

void Attachment::attach_to(const Delivery& delivery, const PushEnd& end) {
  std::vector<AttachPlace> places;
  for (const std::string& name : delivery.names) {
    const RemoteRepository repository = shop_.remote().get().repository_of(oci::Reference::parse(name));
    const auto is_it = [&](const AttachPlace& place) { return place.repository == repository; };
    if (std::none_of(places.begin(), places.end(), is_it)) places.push_back({repository, end.is_new});
  }
  for (const AttachPlace& place : places) {
    for (const AttestedImage& image : delivery.attested) {
      with_context(
          [&] {
            return fmt::format("while attaching what is said of '{}@{}'", place.repository.name(),
                               image.manifest.digest.str());
          },
          [&] { ImageAttachment(shop_, place, image).run(); });
    }
  }
}

void Attachment::attach(const std::vector<const Delivery*>& deliveries, std::vector<PushEnd>& ends) {
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    if (!deliveries[i]->attested.empty() && !ends[i].error && ends[i].lost.lost.empty()) numbers.push_back(i);
  }
  if (numbers.empty()) return;
  if (shop_.settings().offline) {
    shop_.recorder().warn(
        "--offline: what is to be said of the images is not remembered with their pushes; bake once more with a "
        "network to attach it");
    return;
  }
  ThreadPool pool(std::min(numbers.size(), shop_.remote().get().settings().parallel_requests));
  pool.parallel_for(numbers.size(), [&](std::size_t i) {
    PushEnd& end = ends[numbers[i]];
    try {
      attach_to(*deliveries[numbers[i]], end);
    } catch (const Error& error) {
      end.error = error;
    }
  });
}

}  // namespace kiln

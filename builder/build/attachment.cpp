#include "builder/build/attachment.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/thread_pool.hpp"
#include "builder/attest/image_attachment.hpp"

namespace kiln {

namespace {

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

bool is_sbom(const Attestation& attestation) { return attestation.predicate_type == kSpdxPredicate; }

}  // namespace

void Attachment::attach_to_place(const RemoteRepository& place, const AttestedImage& image, bool is_new) {
  ImageAttachment attachment(shop_.remote().get(), shop_.store(), place, image, is_new);
  if (attachment.open().empty()) return;
  AttachTask task(shop_.recorder(), fmt::format("{}@{}", place.name(), image.manifest.digest.short_hex()));
  try {
    const ImageAttachment::Outcome outcome = attachment.attach();
    if (!outcome.refusal.empty())
      shop_.recorder().warn(refused_attestation_note(place, image.manifest.digest, outcome.refusal));
    task.done();
  } catch (const Error& error) {
    if (error.category() == Category::cancelled || attachment.is_asked_for()) throw;
    task.done();
    shop_.recorder().warn(
        fmt::format("the image was pushed without the provenance that it has by default: {}; "
                    "--provenance=false pushes without one",
                    error.message()));
  }
}

void Attachment::attach_to(const Delivery& delivery, const PushEnd& end) {
  std::vector<RemoteRepository> places;
  for (const std::string& name : delivery.names) {
    const RemoteRepository place = shop_.remote().get().repository_of(oci::Reference::parse(name));
    if (std::find(places.begin(), places.end(), place) == places.end()) places.push_back(place);
  }
  for (const RemoteRepository& place : places) {
    for (const AttestedImage& image : delivery.attested) attach_to_place(place, image, end.is_new);
  }
}

void Attachment::attach(const std::vector<const Delivery*>& deliveries, std::vector<PushEnd>& ends) {
  std::vector<std::size_t> numbers;
  bool has_sbom = false;
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    if (deliveries[i]->attested.empty() || ends[i].error || !ends[i].lost.lost.empty()) continue;
    numbers.push_back(i);
    for (const AttestedImage& image : deliveries[i]->attested)
      has_sbom = has_sbom || std::any_of(image.attestations.begin(), image.attestations.end(), is_sbom);
  }
  if (numbers.empty()) return;
  if (shop_.settings().offline) {
    if (!has_sbom) return;
    shop_.recorder().warn(
        "--offline: SBOMs are not remembered with the pushes of their images; bake once more with a network to attach "
        "them");
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

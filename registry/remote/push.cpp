#include "registry/remote/push.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>

#include "base/text.hpp"
#include "base/thread_pool.hpp"
#include "registry/remote/blob_push.hpp"
#include "registry/remote/early_push.hpp"
#include "registry/remote/ghcr.hpp"
#include "registry/remote/push_limits.hpp"
#include "registry/remote/push_parts.hpp"

// A push is a graph of jobs on one pool; no job ever waits for another.
//
//   check(group)      one HEAD a tag; where a tag is missing, every blob of the image becomes a need
//   settle(need)      one blob in one repository: skip, mount, upload or stream. Needs of one blob at one registry
//                     queue behind the first that has to guess a place to mount from or to upload, or behind an early
//                     upload; when it is done the others mount from there. Begins when all groups are checked: what
//                     one of them has at the registry is known to the others then
//   publish(group)    once the last need of a group is settled: manifests, then tags
//
// A group is one image in one repository.

namespace kiln {

namespace {

using oci::Descriptor;
using oci::Digest;

struct Group;

struct Need {
  RemoteRepository place;
  Descriptor blob;
  std::vector<Group*> waiting;
  std::size_t image = 0;  // the first that has it, for messages
};

struct Group {
  std::size_t image = 0;
  RemoteRepository place;
  std::vector<oci::Reference> targets;
  std::vector<std::optional<PushedTarget>> done;
  enum class State { unchecked, there, lacking } state = State::unchecked;  // there: every target names the image
  std::size_t open_needs = 0;
  std::optional<Error> error;
};

class Pusher {
 public:
  Pusher(RemoteSession& session, const ContentStore& store, std::span<const PushRequest> images,
         const PushOptions& options, TransferObserver* observer)
      : session_(session),
        store_(store),
        images_(images),
        options_(options),
        limits_(store, options.origin),
        observer_(observer),
        blobs_(session, store, options.fetch, observer),
        parts_(images.size()),
        pool_(std::max<std::size_t>(1, session.settings().parallel_requests)) {}

  std::vector<PushOutcome> run() {
    if (options_.early) options_.early->hand_over();
    std::vector<PushOutcome> outcomes(images_.size());
    for (std::size_t i = 0; i < images_.size(); ++i) make_groups(i, outcomes[i]);
    unchecked_ = groups_.size();
    for (Group& group : groups_) {
      start(
          [this, &group] {
            attempt([&] { check(group); }, group);
            if (--unchecked_ == 0) begin_settling();
          },
          group);
    }
    {
      std::unique_lock lock(mutex_);
      idle_.wait(lock, [&] { return running_ == 0; });
    }
    session_.cancel().check();
    tell_unlinked();
    for (Group& group : groups_) {
      PushOutcome& outcome = outcomes[group.image];
      for (auto& target : group.done) {
        if (target) outcome.targets.push_back(std::move(*target));
      }
      if (group.error && !outcome.error) outcome.error = group.error;
    }
    return outcomes;
  }

 private:
  void make_groups(std::size_t image, PushOutcome& outcome) {
    std::map<RemoteRepository, std::vector<oci::Reference>> by_place;
    try {
      for (const oci::Reference& target : images_[image].targets) {
        by_place[session_.repository_of(target)].push_back(target);
      }
    } catch (Error& error) {
      outcome.error = error.add_context(fmt::format("while pushing '{}'", images_[image].targets.front().str()));
      return;
    }
    for (auto& [place, targets] : by_place) {
      Group group;
      group.image = image;
      group.place = place;
      group.done.resize(targets.size());
      group.targets = std::move(targets);
      groups_.push_back(std::move(group));
    }
  }

  // Runs a job on the pool; an error of it is the group's.
  template <class Job>
  void start(Job job, Group& group) {
    begin_job();
    pool_.submit([this, job = std::move(job), &group] {
      attempt(job, group);
      end_job();
    });
  }

  template <class Job>
  void attempt(const Job& job, Group& group) {
    try {
      job();
    } catch (const Error& error) {
      fail(group, error);
    } catch (const std::exception& error) {
      fail(group, Error(Category::machine, error.what()));
    }
  }

  void begin_job() {
    const std::lock_guard lock(mutex_);
    ++running_;
  }
  void end_job() {
    const std::lock_guard lock(mutex_);
    if (--running_ == 0) idle_.notify_all();
  }
  void fail(Group& group, Error error) {
    const std::lock_guard lock(mutex_);
    note_failure(group, std::move(error));
  }
  // The caller holds mutex_.
  void note_failure(Group& group, Error error) {
    if (group.error) return;
    error.add_context(fmt::format("while pushing '{}'", group.targets.front().str()));
    group.error = std::move(error);
  }

  const PushParts& parts_of(std::size_t image) {
    const std::lock_guard lock(parts_mutex_);
    if (!parts_[image]) parts_[image] = parts_of_image(store_, images_[image].root);
    return *parts_[image];
  }

  // Once for all that is new at ghcr.io, since a fleet has them all or none.
  void tell_unlinked() {
    std::vector<std::string> names;
    for (const Group& group : groups_) {
      const bool is_new = std::any_of(group.done.begin(), group.done.end(), [](const auto& target) {
        return target && target->outcome != TransferOutcome::skipped;
      });
      if (is_new && limits_.lacks_source(group.place.endpoint.authority, parts_of(group.image)))
        names.push_back(group.place.name());
    }
    if (!names.empty()) session_.log().warn(ghcr::unlinked_advice(names));
  }

  void note_target(Group& group, std::size_t index, TransferOutcome outcome) {
    PushedTarget pushed{group.targets[index], outcome};
    const Descriptor& root = images_[group.image].root;
    pushed.target.digest = root.digest;
    if (observer_) observer_->tag_done(group.targets[index].str(), root, outcome);
    const std::lock_guard lock(mutex_);
    group.done[index] = std::move(pushed);
  }

  void check(Group& group) {
    const Descriptor& root = images_[group.image].root;
    RegistryClient client = session_.client(group.place.endpoint);
    bool all_there = true;
    for (std::size_t i = 0; i < group.targets.size(); ++i) {
      const std::string key = group.targets[i].tag ? *group.targets[i].tag : root.digest.str();
      const auto named = client.resolve(group.place.repository, key);
      if (named && named->digest == root.digest && options_.recheck == PushOptions::Recheck::no) {
        note_target(group, i, TransferOutcome::skipped);
      } else {
        all_there = false;
      }
    }
    if (all_there) {
      group.state = Group::State::there;
      return;
    }
    limits_.check_sizes(group.place.endpoint.authority, parts_of(group.image));
    std::vector<Descriptor> blobs = parts_of(group.image).blobs;
    std::sort(blobs.begin(), blobs.end(), [](const Descriptor& a, const Descriptor& b) { return a.size > b.size; });
    const std::lock_guard lock(mutex_);
    for (const Descriptor& blob : blobs) {
      auto& need = needs_[{group.place, blob.digest}];
      if (!need) {
        need = std::make_unique<Need>(Need{group.place, blob, {}, group.image});
        unsettled_.push_back(need.get());
      }
      need->waiting.push_back(&group);
      ++group.open_needs;
    }
    group.state = Group::State::lacking;
  }

  // By the thread that checked the last group; the others' checks are done.
  void begin_settling() {
    if (!unsettled_.empty()) {
      for (const Group& group : groups_) {
        if (group.state == Group::State::there) note_places(group);
      }
    }
    // First those that have no blobs: afterwards a group may be without open needs because they were dealt with.
    for (Group& group : groups_) {
      if (group.state == Group::State::lacking && group.open_needs == 0)
        start([this, &group] { publish(group); }, group);
    }
    for (Need* need : unsettled_) start_settling(*need);
  }

  void note_places(const Group& group) {
    try {
      for (const Descriptor& blob : parts_of(group.image).blobs) session_.locations().add(blob.digest, group.place);
    } catch (const Error&) {
      // Nothing of this image is pushed, so its manifest need not be here.
    }
  }

  void start_settling(Need& need) {
    begin_job();
    pool_.submit([this, &need] {
      try {
        settle(need);
      } catch (const Error& error) {
        settled(need, error);
      } catch (const std::exception& error) {
        settled(need, Error(Category::machine, error.what()));
      }
      end_job();
    });
  }

  // The need is dealt with: groups that waited for nothing else go on.
  void settled(Need& need, std::optional<Error> error) {
    std::vector<Group*> ready;
    {
      // In one go with the count of open needs: the job that settles the last one must see that another has failed, or
      // the manifest of an image that lacks a blob would be put.
      const std::lock_guard lock(mutex_);
      for (Group* group : need.waiting) {
        --group->open_needs;
        if (error) {
          note_failure(*group, *error);
        } else if (group->open_needs == 0 && !group->error) {
          ready.push_back(group);
        }
      }
      need.waiting.clear();
    }
    for (Group* group : ready) {
      start([this, group] { publish(*group); }, *group);
    }
  }

  using BlobAtRegistry = std::pair<Endpoint, Digest>;

  // True: this need may upload. False: somebody else does, and settle() runs again when that is done.
  bool lead(Need& need) {
    const std::lock_guard lock(mutex_);
    const auto [entry, first] = uploading_.try_emplace(BlobAtRegistry{need.place.endpoint, need.blob.digest});
    if (!first) entry->second.push_back(&need);
    return first;
  }

  void stop_leading(const Need& need) {
    std::deque<Need*> others;
    {
      const std::lock_guard lock(mutex_);
      const auto entry = uploading_.find({need.place.endpoint, need.blob.digest});
      others = std::move(entry->second);
      uploading_.erase(entry);
    }
    for (Need* other : others) start_settling(*other);
  }

  void settle(Need& need) {
    if (waits_for_early(need)) return;
    const bool is_known = options_.early && options_.early->has(need.place, need.blob.digest);
    if (is_known || blobs_.find(need.place, need.blob) || blobs_.mount(need.place, need.blob)) return settled(need, {});
    if (!lead(need)) return;
    struct Leader {
      Pusher& pusher;
      const Need& need;
      ~Leader() { pusher.stop_leading(need); }
    } leader{*this, need};
    // Somebody may have uploaded it between our look and our turn.
    const auto likely = options_.likely_places.find(need.blob.digest);
    const bool is_mounted = blobs_.mount_on_guess(
        need.place, need.blob,
        likely == options_.likely_places.end() ? std::vector<RemoteRepository>() : likely->second);
    if (!is_mounted) send(need);
    settled(need, {});
  }

  // True: the blob is on its way to this registry since before the push; settle() runs again when that has ended.
  bool waits_for_early(Need& need) {
    if (!options_.early) return false;
    begin_job();
    const bool waits = options_.early->when_ended(need.place.endpoint, need.blob.digest, [this, &need] {
      start_settling(need);
      end_job();
    });
    if (!waits) end_job();
    return waits;
  }

  void send(const Need& need) {
    const double rate = session_.client(need.place.endpoint).upload_bytes_per_second();
    limits_.check_duration(need.place.endpoint.authority, parts_of(need.image), need.blob, rate);
    blobs_.send(need.place, need.blob);
  }

  void publish(Group& group) {
    try {
      put_manifests(group);
    } catch (const RegistryError& error) {
      if (!misses_a_part(error)) throw;
      session_.log().warn(fmt::format("{}; looking at every blob and trying once more", error.message()));
      complete_blobs(group);
      put_manifests(group);
    }
  }

  void put_manifests(Group& group) {
    RegistryClient client = session_.client(group.place.endpoint);
    const std::vector<ManifestBytes>& manifests = parts_of(group.image).manifests;
    const std::string& repository = group.place.repository;
    for (std::size_t i = 0; i + 1 < manifests.size(); ++i) {
      const Descriptor& child = manifests[i].descriptor;
      client.put_manifest(repository, child.digest.str(), manifests[i].bytes, child.media_type);
    }
    const ManifestBytes& root = manifests.back();
    for (std::size_t i = 0; i < group.targets.size(); ++i) {
      if (group.done[i]) continue;
      const std::string key = group.targets[i].tag ? *group.targets[i].tag : root.descriptor.digest.str();
      client.put_manifest(repository, key, root.bytes, root.descriptor.media_type);
      note_target(group, i, TransferOutcome::transferred);
    }
  }

  // The registry did not find a blob that it was given: asks for every one, and sends what is missing.
  void complete_blobs(Group& group) {
    RegistryClient client = session_.client(group.place.endpoint);
    for (const Descriptor& blob : parts_of(group.image).blobs) {
      if (client.find_blob(group.place.repository, blob.digest).matches(blob)) continue;
      send(Need{group.place, blob, {}, group.image});
    }
  }

  RemoteSession& session_;
  const ContentStore& store_;
  std::span<const PushRequest> images_;
  PushOptions options_;
  PushLimits limits_;
  TransferObserver* observer_;
  BlobPush blobs_;
  std::deque<Group> groups_;
  std::mutex parts_mutex_;
  std::vector<std::optional<PushParts>> parts_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t running_ = 0;
  std::atomic<std::size_t> unchecked_ = 0;
  std::vector<Need*> unsettled_;  // until every group is checked
  std::map<std::pair<RemoteRepository, Digest>, std::unique_ptr<Need>> needs_;
  std::map<BlobAtRegistry, std::deque<Need*>> uploading_;
  ThreadPool pool_;  // last: its threads end before what they use
};

}  // namespace

std::vector<PushOutcome> push_images(RemoteSession& session, const ContentStore& store,
                                     std::span<const PushRequest> images, const PushOptions& options,
                                     TransferObserver* observer) {
  return Pusher(session, store, images, options, observer).run();
}

PushOutcome push_image(RemoteSession& session, const ContentStore& store, const PushRequest& image,
                       const PushOptions& options, TransferObserver* observer) {
  PushOutcome outcome = std::move(push_images(session, store, std::span(&image, 1), options, observer).front());
  if (outcome.error) throw *outcome.error;
  return outcome;
}

Descriptor tag_image(RemoteSession& session, const oci::Reference& existing, const std::string& new_tag) {
  return with_context(
      [&] { return fmt::format("while giving '{}' the tag '{}'", existing.str(), new_tag); },
      [&] {
        if (!oci::is_valid_tag(new_tag)) {
          throw Error(Category::usage, fmt::format("'{}' is not a tag (letters, digits, '_', '.', '-'; at most 128)",
                                                   printable(new_tag)));
        }
        const RemoteRepository place = session.repository_of(existing);
        RegistryClient client = session.client(place.endpoint);
        const FetchedManifest fetched = client.fetch_manifest(place.repository, existing.manifest_key());
        Descriptor put = client.put_manifest(place.repository, new_tag, fetched.bytes, fetched.descriptor.media_type);
        return put;
      });
}

}  // namespace kiln

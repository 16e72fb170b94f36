#include "builder/retention/execute_plan.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <optional>

#include "base/fd.hpp"
#include "base/text.hpp"
#include "base/thread_pool.hpp"

namespace kiln {

namespace {

using Tags = std::map<std::string, oci::Digest>;

constexpr double kLeastCompareSeconds = 30;
constexpr double kCompareShare = 10;  // the comparison takes at most a tenth of the time

// One line a version, on the disk before the version goes.
class RestoreNotes {
 public:
  explicit RestoreNotes(fs::path path) : path_(std::move(path)) {}

  void add(const std::string& command, const Deletion& deletion) {
    if (!file_) {
      fs::create_directories(path_.parent_path());
      file_ = Fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
      if (!file_) throw_errno("open", path_.string());
    }
    const std::string line = fmt::format("{}  # {}{}\n", command, deletion.digest.str(),
                                         deletion.tags.empty() ? "" : " " + join(deletion.tags, " "));
    if (::write(file_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
        ::fsync(file_.get()) != 0) {
      throw_errno("write", path_.string());
    }
  }

 private:
  fs::path path_;
  Fd file_;
};

class Executor {
 public:
  Executor(RemoteSession& session, const Endpoint& endpoint, const RepositoryPlan& plan, const GithubPackages* packages,
           const fs::path& restore_file)
      : session_(session),
        plan_(plan),
        client_(session.client(endpoint)),
        packages_(packages),
        notes_(restore_file),
        pool_(session.settings().parallel_requests) {}

  PruneOutcome run() {
    for (const Deletion& deletion : plan_.deletions) {
      auto change = change_of(deletion);
      if (!change && is_due()) change = change_since_plan();
      if (change) {
        leave(deletion, fmt::format("{} while pruning; run again to plan with it", *change));
        for (const Deletion* rest = &deletion + 1; rest != plan_.deletions.data() + plan_.deletions.size(); ++rest)
          leave(*rest, "the same");
        break;
      }
      with_context([&] { return fmt::format("after {} of {} deletions", outcome_.deleted, plan_.deletions.size()); },
                   [&] { remove(deletion); });
    }
    return std::move(outcome_);
  }

 private:
  Tags tags_now() {
    Tags tags;
    if (packages_) {
      const auto found = packages_->versions(plan_.repository);
      for (const PackageVersion& version : found ? found->versions : std::vector<PackageVersion>()) {
        for (const std::string& tag : version.tags) tags.emplace(tag, version.digest);
      }
      return tags;
    }
    // With its last tag a repository may be gone.
    const std::vector<std::string> names = client_.find_tags(plan_.repository).value_or(TagList()).tags;
    std::mutex mutex;
    pool_.parallel_for(names.size(), [&](std::size_t i) {
      const auto found = client_.resolve(plan_.repository, names[i]);
      const std::lock_guard lock(mutex);
      if (found) tags.emplace(names[i], found->digest);
    });
    return tags;
  }

  // All tags are compared before the first deletion, and then as rarely as makes it a small part of the work.
  bool is_due() {
    const double now = session_.clock().monotonic_seconds();
    return !compared_at_ || now - *compared_at_ >= std::max(kLeastCompareSeconds, kCompareShare * compare_seconds_);
  }

  // A tag of what is about to go that names something else by now.
  std::optional<std::string> change_of(const Deletion& deletion) {
    for (const std::string& tag : deletion.tags) {
      const auto found = client_.resolve(plan_.repository, tag);
      if (found && found->digest != deletion.digest) return fmt::format("the tag '{}' was moved", tag);
    }
    return std::nullopt;
  }

  std::optional<std::string> change_since_plan() {
    const double begin = session_.clock().monotonic_seconds();
    const auto change = find_change();
    compared_at_ = session_.clock().monotonic_seconds();
    compare_seconds_ = *compared_at_ - begin;
    return change;
  }

  std::optional<std::string> find_change() {
    for (const auto& [tag, digest] : tags_now()) {
      const auto planned = plan_.tags.find(tag);
      if (planned == plan_.tags.end()) return fmt::format("the tag '{}' came", tag);
      if (planned->second != digest) return fmt::format("the tag '{}' was moved", tag);
    }
    return std::nullopt;
  }

  void remove(const Deletion& deletion) {
    if (!packages_) {
      if (client_.delete_manifest(plan_.repository, deletion.digest.str())) count(deletion);
      return;
    }
    if (!deletion.version) return leave(deletion, "GitHub lists no version of it");
    notes_.add(packages_->restore_command(plan_.repository, *deletion.version), deletion);
    switch (packages_->remove(plan_.repository, *deletion.version)) {
      case PackageRemoval::removed:
        return count(deletion);
      case PackageRemoval::absent:
        return;
      case PackageRemoval::too_many_downloads:
        return leave(deletion, "GitHub deletes no public version with more than 5,000 downloads; its support does");
      case PackageRemoval::last_tagged:
        return leave(deletion, "GitHub deletes no package's last version with a tag; delete the package");
    }
  }

  void count(const Deletion& deletion) {
    ++outcome_.deleted;
    outcome_.freed_bytes += deletion.freed_bytes;
  }

  void leave(const Deletion& deletion, const std::string& reason) {
    const std::string name = deletion.tags.empty() ? "@" + deletion.digest.str() : ":" + deletion.tags.front();
    outcome_.left.push_back(fmt::format("{}{}: {}", plan_.name, name, reason));
  }

  RemoteSession& session_;
  const RepositoryPlan& plan_;
  RegistryClient client_;
  const GithubPackages* packages_;
  RestoreNotes notes_;
  ThreadPool pool_;
  PruneOutcome outcome_;
  std::optional<double> compared_at_;  // when all tags were compared last
  double compare_seconds_ = 0;         // how long that took
};

}  // namespace

PruneOutcome execute_plan(RemoteSession& session, const Endpoint& endpoint, const RepositoryPlan& plan,
                          const GithubPackages* packages, const fs::path& restore_file) {
  return with_context([&] { return fmt::format("while pruning '{}'", plan.name); },
                      [&] { return Executor(session, endpoint, plan, packages, restore_file).run(); });
}

}  // namespace kiln

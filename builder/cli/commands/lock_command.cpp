
#include <fmt/format.h>

#include <memory>
#include <set>

#include "base/process.hpp"
#include "base/temp_dir.hpp"
#include "builder/build/fleet_plan.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/words/selected_fleet.hpp"
#include "builder/debian/debian_locker.hpp"
#include "builder/definitions/load_fleet.hpp"
#include "builder/plan/stage_images.hpp"
#include "builder/solve/debian_request.hpp"
#include "registry/remote/pull.hpp"
#include "registry/store/layout.hpp"

namespace kiln::cli {

namespace {

struct LockWords {
  std::optional<std::string> file;
  bool update = false;
};

// The images of registries that the fleet is built from, with the platform they are wanted for. A stage that no target
// ends in is locked too: another --target may need it.
std::set<std::pair<std::string, std::string>> foreign_images(const Plan& plan) {
  std::set<std::pair<std::string, std::string>> images;
  const auto add = [&](const std::string& name, const oci::Platform& platform) {
    const oci::Reference reference = oci::Reference::parse(name);
    if (!reference.digest) images.emplace(reference.str(), platform.str());
  };
  for (const auto& planned : plan.targets) {
    const std::set<std::size_t> needed = needed_stages(*planned);
    for (std::size_t stage = 0; stage < planned->bases.size(); ++stage) {
      if (needed.count(stage)) {
        for (const StageImage& image : stage_images(plan, *planned, stage)) add(image.reference, image.platform);
      } else if (const auto* base = std::get_if<ImageBase>(&planned->bases[stage])) {
        add(base->reference, planned->target.platform());
      }
    }
  }
  return images;
}

int run_lock(const LockWords& words, const CancelToken& cancel) {
  StderrLog log;
  LoadFleetOptions options;
  options.working_directory = fs::current_path();
  if (words.file) options.file = *words.file;
  options.environment = environment_variable;
  options.broken = BrokenImages::set_aside;
  const Fleet fleet = load_fleet(options);
  for (const std::string& warning : fleet.warnings) log.warn(warning);
  warn_of_broken(fleet, {}, log);
  if (fleet.settings.lock_file.empty())
    throw Error(Category::usage, "a bake file has no lock; only image definitions have one");
  // What is broken has nothing to lock yet, and what is not is locked all the same.
  const Plan plan = plan_fleet(fleet, {}, {});
  for (const std::string& note : plan.notes) log.warn(note);
  const HomeLayout home = HomeLayout::open(HomeLayout::default_root());
  const TempDir work(home.tmp(), "lock-");
  const DebianLocker locker({fleet.settings.lock_file, home.debs(), work.path()},
                            words.update ? LockPolicy::renew : LockPolicy::use, log, cancel);
  std::set<std::string> done;
  for (const auto& planned : plan.targets) {
    const TargetSpec& target = planned->target;
    if (!target.debian || !done.insert(target.debian->lock_name).second) continue;
    const Lock before = Lock::read(fleet.settings.lock_file);
    const DebianLock* known = before.find_debian(target.debian->lock_name);
    const DebianLock entry = locker.entry(target.debian->lock_name, debian_spec_of(*target.debian, target.platform()));
    print_text(fmt::format("{}: {} packages of Debian {}\n", target.debian->lock_name, entry.packages.size(),
                           entry.spec.suite));
    if (!known) continue;
    for (const std::string& change : describe_changes(*known, entry)) print_text(fmt::format("  {}\n", change));
  }
  std::unique_ptr<RemoteSession> remote;
  for (const auto& [reference, platform] : foreign_images(plan)) {
    if (!words.update && Lock::read(fleet.settings.lock_file).find_image(reference, platform)) continue;
    if (!remote) remote = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
    ContentStore store(home);
    const PulledImage pulled = pull_image(*remote, store, oci::Reference::parse(reference),
                                          oci::Platform::parse(platform), PullWhat::manifests);
    Lock::update(fleet.settings.lock_file, [&, &reference = reference, &platform = platform](Lock& lock) {
      lock.set_image(reference, platform, pulled.manifest.digest.str());
    });
    print_text(fmt::format("{} {}: {}\n", reference, platform, pulled.manifest.digest.str()));
  }
  return 0;
}

}  // namespace

void add_lock_command(Arguments& root) {
  const auto words = std::make_shared<LockWords>();
  root.command("lock", "Record what the fleet's bases come to: Debian packages and image digests.")
      .option("-f,--file", words->file, "fleet.json or its folder")
      .flag("--update", words->update, "resolve everything anew")
      .handler([words](const CancelToken& cancel) { return run_lock(*words, cancel); });
}

}  // namespace kiln::cli

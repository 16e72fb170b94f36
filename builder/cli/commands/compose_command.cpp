#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/published_images.hpp"
#include "builder/cli/stderr_log.hpp"
#include "builder/release/compose_pin.hpp"
#include "registry/store/content_store.hpp"
#include "registry/store/image_names.hpp"

namespace kiln::cli {

namespace {

using nlohmann::json;
using Outcome = PinnedService::Outcome;

constexpr std::uint64_t kMostBytes = std::uint64_t{8} << 20;

struct PinWords {
  PublishedWords fleet;
  std::string file;
  std::string release;
  bool local = false;
  bool restore = false;
  bool dry_run = false;
  bool as_json = false;
};

fs::path backup_of(const fs::path& file) { return file.native() + ".before-pin"; }

// Writes a file with the owner and the mode of `like`, whatever the umask.
void write_like(const fs::path& like, const fs::path& file, const std::string& text) {
  struct stat info {};
  if (::stat(like.c_str(), &info) != 0) throw_errno("look at", like.native());
  AtomicFile next(file, 0600);
  next.write(text);
  const bool is_own = info.st_uid == ::geteuid() && info.st_gid == ::getegid();
  if (!is_own && ::fchown(next.fd().get(), info.st_uid, info.st_gid) != 0)
    throw_errno("keep the owner of", like.native());
  if (::fchmod(next.fd().get(), info.st_mode & 07777) != 0) throw_errno("keep the mode of", like.native());
  next.commit();
}

DigestOf digests_of_store(const std::shared_ptr<const ContentStore>& store) {
  return [store](const oci::Reference& reference) -> std::optional<oci::Digest> {
    const auto found = find_image(*store, reference.str());
    return found ? std::optional(found->digest) : std::nullopt;
  };
}

// The file itself where a link leads to it, so that the link stays one.
fs::path file_of(const PinWords& words) {
  const fs::path file = words.file;
  return fs::is_symlink(file) ? fs::canonical(file) : file;
}

StoredRelease wanted_release(RemoteSession& session, const PinWords& words, const std::string& registry) {
  if (words.release.empty()) {
    auto releases = fetch_releases(session, registry);
    if (releases.empty())
      throw Error(Category::usage, fmt::format("'{}' has no releases; 'kiln release create' makes one", registry));
    return std::move(releases.back());
  }
  auto release = fetch_release(session, registry, words.release);
  if (!release)
    throw Error(Category::usage, fmt::format("'{}' has no release '{}'; 'kiln release list' lists those it has",
                                             registry, printable(words.release)));
  return std::move(*release);
}

// Puts the release's name into `name`: the newest one's where none was said.
DigestOf digests_of_release(const PinWords& words, const CancelToken& cancel, std::string& name) {
  StderrLog log;
  const auto session = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
  const StoredRelease release = wanted_release(*session, words, registry_of_releases(words.fleet));
  name = release.record.name;
  return [record = release.record](const oci::Reference& reference) -> std::optional<oci::Digest> {
    for (const ReleasedImage& image : record.images) {
      if (image.repository == reference.name()) return image.manifest.digest;
    }
    return std::nullopt;
  };
}

const char* word_of(Outcome outcome) {
  return outcome == Outcome::pinned ? "pinned" : outcome == Outcome::unknown ? "unknown" : "unpinned";
}

// `source`: the release's name; empty: the store.
void print_pin(const PinWords& words, const ComposePin& pin, const std::string& source) {
  json services = json::array();
  for (const PinnedService& service : pin.services) {
    services.push_back({{"service", service.service},
                        {"line", service.line},
                        {"before", service.before},
                        {"after", service.after},
                        {"outcome", word_of(service.outcome)},
                        {"reason", service.reason}});
    if (words.as_json) continue;
    const std::string where = fmt::format("{}:{}: service '{}'", words.file, service.line, printable(service.service));
    if (service.outcome == Outcome::pinned) {
      fmt::print("{}: {} {}\n", where, service.before == service.after ? "unchanged" : "pinned to",
                 printable(service.after));
    } else if (service.outcome == Outcome::unknown) {
      fmt::print("{}: '{}' is not {}; it stays\n", where, printable(service.before),
                 source.empty() ? "in the store" : fmt::format("in the release '{}'", source));
    } else {
      fmt::print("{}: not pinned: {}\n", where, printable(service.reason));
    }
  }
  if (!words.as_json) return;
  const json result = {{"file", words.file},
                       {"release", source.empty() ? json() : json(source)},
                       {"services", services},
                       {"dry_run", words.dry_run}};
  fmt::print("{}\n", result.dump(2, ' ', false, json::error_handler_t::replace));
}

int run_restore(const PinWords& words) {
  const fs::path file = file_of(words);
  const auto before = read_file_if_exists(backup_of(file), kMostBytes);
  if (!before)
    throw Error(Category::usage,
                fmt::format("'{}' does not exist; there is nothing to put back", backup_of(file).native()));
  if (!differ_in_pins_alone(*before, read_file(file, kMostBytes), words.file)) {
    throw Error(
        Category::usage,
        fmt::format(
            "'{}' was changed since it was pinned, and not in its pins alone; take what you want from '{}' yourself",
            words.file, backup_of(file).native()));
  }
  if (!words.dry_run) {
    write_like(file, file, *before);
    fs::remove(backup_of(file));
  }
  if (words.as_json) {
    fmt::print("{}\n",
               json{{"file", words.file}, {"restored_from", backup_of(file).native()}, {"dry_run", words.dry_run}}.dump(
                   2, ' ', false, json::error_handler_t::replace));
  } else {
    fmt::print("{} '{}' back as it was in '{}'\n", words.dry_run ? "would put" : "put", words.file,
               backup_of(file).native());
  }
  return 0;
}

int run_pin(const PinWords& words, const CancelToken& cancel) {
  if (words.restore && (words.local || !words.release.empty()))
    throw Error(Category::usage, "--restore takes neither --release nor --local");
  if (words.restore) return run_restore(words);
  if (words.local && !words.release.empty()) throw Error(Category::usage, "--release and --local exclude one another");
  const fs::path file = file_of(words);
  const std::string text = read_file(file, kMostBytes);
  std::string source;
  const DigestOf digest_of =
      words.local ? digests_of_store(std::make_shared<ContentStore>(HomeLayout::open(HomeLayout::default_root())))
                  : digests_of_release(words, cancel, source);
  const ComposePin pin = pin_compose(text, words.file, digest_of);
  if (!words.dry_run && pin.text != text) {
    write_like(file, backup_of(file), text);
    write_like(file, file, pin.text);
  }
  print_pin(words, pin, source);
  return std::any_of(pin.services.begin(), pin.services.end(),
                     [](const auto& service) { return service.outcome == Outcome::unpinned; })
             ? 1
             : 0;
}

}  // namespace

void add_compose_command(Arguments& root) {
  const auto words = std::make_shared<PinWords>();
  Arguments& pin = root.command("compose", "Work with compose files.")
                       .command("pin", "Write the digests of a release into the image references of a compose file.");
  pin.required_positional("FILE", words->file, "the compose file; what it was stays beside it as FILE.before-pin")
      .option("--release", words->release, "the release that the digests are taken from (default: the newest)")
      .flag("--local", words->local, "take the digests that the names have in the store")
      .flag("--restore", words->restore, "put the file back as it was before it was pinned")
      .flag("--dry-run", words->dry_run, "show; change nothing")
      .flag("--json", words->as_json, "print the result as JSON")
      .handler([words](const CancelToken& cancel) { return run_pin(*words, cancel); });
  add_published_words(pin, words->fleet);
}

}  // namespace kiln::cli

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/images/signed_images.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/words/fleet_images.hpp"
#include "builder/cli/words/published_images.hpp"
#include "builder/cli/words/signing_keys.hpp"
#include "builder/release/compose_pin.hpp"
#include "builder/release/compose_service_pins.hpp"
#include "registry/store/content_store.hpp"
#include "registry/store/image_names.hpp"

namespace kiln::cli {

namespace {

using nlohmann::json;
using Outcome = PinnedService::Outcome;

constexpr std::uint64_t kMostBytes = std::uint64_t{8} << 20;

struct PinWords {
  PublishedWords fleet;
  std::vector<std::string> files;
  std::string release;
  std::optional<std::string> key;
  bool by_service = false;
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

std::string last_part_of(const oci::Reference& reference) {
  return reference.repository.substr(reference.repository.rfind('/') + 1);
}

// An image of a profile: its repository, and the digest that it has.
struct ProfilePin {
  std::string repository;
  oci::Digest digest;
};

// A service that leaves the profile out gets the only one that there is. Error{usage} with all of them where there are
// several: which machine it runs on is for its author to say.
std::optional<ImagePin> pin_by_profile(const oci::Reference& reference, std::vector<ProfilePin> pins) {
  const auto namespace_of = [](const std::string& repository) { return repository.substr(0, repository.rfind('/')); };
  std::erase_if(pins, [&](const ProfilePin& pin) {
    return namespace_of(pin.repository) != namespace_of(reference.name()) || pin.repository == reference.name();
  });
  if (pins.empty()) return std::nullopt;
  if (pins.size() == 1)
    return ImagePin(pins.front().digest, pins.front().repository + (reference.tag ? ":" + *reference.tag : ""));
  std::vector<std::string> names;
  for (const ProfilePin& pin : pins) names.push_back(pin.repository);
  throw Error(Category::usage, fmt::format("'{}' is published for each of its profiles; name one of {}",
                                           reference.name(), join(names, ", ")));
}

DigestOf digests_of_store(const std::shared_ptr<const ContentStore>& store) {
  return [store](const oci::Reference& reference) -> std::optional<ImagePin> {
    const auto digest_in_store = [&](const std::string& name) -> std::optional<oci::Digest> {
      const auto found = find_image(*store, name);
      return found ? std::optional(found->digest) : std::nullopt;
    };
    if (auto digest = digest_in_store(reference.str())) return *digest;
    std::vector<ProfilePin> pins;
    for (const NamedByWord& image : images_of_word(last_part_of(reference) + ":" + reference.tag_or_latest())) {
      if (auto digest = digest_in_store(image.reference))
        pins.push_back({oci::Reference::parse(image.reference).name(), *digest});
    }
    return pin_by_profile(reference, pins);
  };
}

// The file itself where a link leads to it, so that the link stays one.
fs::path file_of(const PinWords& words) {
  const fs::path file = words.files[0];
  return fs::is_symlink(file) ? fs::canonical(file) : file;
}

// compose.yaml -> compose.pins.yaml, beside it.
fs::path pins_file_of(const PinWords& words) { return fs::path(words.files[0]).replace_extension(".pins.yaml"); }

StoredRelease wanted_release(RemoteSession& session, const PinWords& words, const std::string& registry) {
  if (words.release.empty()) {
    auto releases = fetch_releases(session, registry);
    if (releases.empty())
      throw Error(Category::usage, fmt::format("'{}' has no releases; 'kiln release create' makes one", registry));
    require_of_registry(releases.back().record, registry);
    return std::move(releases.back());
  }
  auto release = fetch_release(session, registry, words.release);
  if (!release)
    throw Error(Category::usage, fmt::format("'{}' has no release '{}'; 'kiln release list' lists those it has",
                                             registry, printable(words.release)));
  return std::move(*release);
}

// The record, and all images that it names: a part of a release is nothing that anybody released.
void require_signed(RemoteSession& session, const StoredRelease& release, const VerificationKey& key) {
  const ReleaseRecord& record = release.record;
  std::vector<oci::Reference> signed_ones = {
      release_reference(record.registry, record.name).with_digest(release.artifact.digest)};
  for (const ReleasedImage& image : record.images)
    signed_ones.push_back(oci::Reference::parse(image.repository).with_digest(image.manifest.digest));
  require_signatures(session, signed_ones, key, "nothing was pinned");
}

// Puts the release's name into `name`: the newest one's where none was said.
DigestOf digests_of_release(const PinWords& words, const CancelToken& cancel, std::string& name) {
  const std::optional<VerificationKey> key = wanted_verification_key(words.key);
  StderrLog log;
  const auto session = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
  const StoredRelease release = wanted_release(*session, words, registry_of_releases(words.fleet));
  if (key) require_signed(*session, release, *key);
  name = release.record.name;
  return [record = release.record](const oci::Reference& reference) -> std::optional<ImagePin> {
    for (const ReleasedImage& image : record.images) {
      if (image.repository == reference.name()) return image.manifest.digest;
    }
    std::vector<ProfilePin> pins;
    for (const std::string& target : targets_of_image(last_part_of(reference))) {
      for (const ReleasedImage& image : record.images) {
        if (image.name == target) pins.push_back({image.repository, image.manifest.digest});
      }
    }
    return pin_by_profile(reference, pins);
  };
}

const char* word_of(Outcome outcome) {
  return outcome == Outcome::pinned ? "pinned" : outcome == Outcome::unknown ? "unknown" : "unpinned";
}

// Where the digests are from, for a message.
std::string origin_of(const std::string& release) {
  return release.empty() ? "the store" : fmt::format("the release '{}'", release);
}

// What was pinned, and where the pins are.
struct PinResult {
  std::vector<PinnedService> services;
  std::string release;                // empty: the store
  std::optional<fs::path> pins_file;  // nullopt: the file itself holds them
  std::vector<std::string> files;     // what Compose is to read with -f, the pins' file included
};

std::string shell_word(const std::string& text) {
  static constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,:=@+%";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

std::string command_with(const std::vector<std::string>& files) {
  std::string command = "docker compose";
  for (const std::string& file : files) command += " -f " + shell_word(file);
  return command + " up -d";
}

void print_service(const PinWords& words, const PinResult& result, const PinnedService& service) {
  const std::string line = service.line == 0 ? "" : fmt::format("{}:", service.line);
  // Of several files it is not known which one says the service.
  const bool is_only_file = result.files.size() == (result.pins_file ? 2 : 1);
  const std::string file =
      service.line != 0 || is_only_file ? fmt::format("{}:{} ", words.files[0], line) : std::string();
  const std::string where = fmt::format("{}service '{}'", file, printable(service.service));
  if (service.outcome == Outcome::pinned) {
    print_text(fmt::format("{}: {} {}\n", where, service.before == service.after ? "unchanged" : "pinned to",
                           printable(service.after)));
  } else if (service.outcome == Outcome::unknown) {
    print_text(
        fmt::format("{}: '{}' is not in {}; it stays\n", where, printable(service.before), origin_of(result.release)));
  } else {
    print_text(fmt::format("{}: not pinned: {}\n", where, printable(service.reason)));
  }
}

void print_pins(const PinWords& words, const PinResult& result) {
  json services = json::array();
  for (const PinnedService& service : result.services) {
    services.push_back({{"service", service.service},
                        {"line", service.line == 0 ? json() : json(service.line)},
                        {"before", service.before},
                        {"after", service.after},
                        {"outcome", word_of(service.outcome)},
                        {"reason", service.reason}});
  }
  const json printed = {{"file", words.files[0]},
                        {"override", result.pins_file ? json(result.pins_file->native()) : json()},
                        {"command", command_with(result.files)},
                        {"release", result.release.empty() ? json() : json(result.release)},
                        {"services", services},
                        {"dry_run", words.dry_run}};
  print_json(printed);
}

int finish_pin(const PinWords& words, const PinResult& result) {
  if (words.as_json) {
    print_pins(words, result);
  } else {
    for (const PinnedService& service : result.services) print_service(words, result, service);
    if (result.pins_file) {
      print_text(fmt::format("{} '{}', which goes over the other files: {}\n", words.dry_run ? "would write" : "wrote",
                             result.pins_file->native(), command_with(result.files)));
    }
  }
  return std::any_of(result.services.begin(), result.services.end(),
                     [](const auto& service) { return service.outcome == Outcome::unpinned; })
             ? 1
             : 0;
}

// The text of the pins' file; nullopt: there is none. Error{usage} for a file of that name that is not kiln's.
std::optional<std::string> read_pins(const fs::path& file) {
  auto text = read_file_if_exists(file, kMostBytes);
  if (text && !is_service_pins(*text)) {
    throw Error(Category::usage,
                fmt::format("'{}' was not written by kiln, and is left alone; move it away first", file.native()));
  }
  return text;
}

int run_restore(const PinWords& words) {
  const fs::path file = file_of(words);
  const fs::path pins_file = pins_file_of(words);
  const bool has_pins = read_pins(pins_file).has_value();
  const auto before = read_file_if_exists(backup_of(file), kMostBytes);
  if (!before && !has_pins) {
    throw Error(Category::usage, fmt::format("neither '{}' nor '{}' exists; there is nothing to put back",
                                             backup_of(file).native(), pins_file.native()));
  }
  if (before && !differ_in_pins_alone(*before, read_named_file(file, kMostBytes), words.files[0])) {
    throw Error(
        Category::usage,
        fmt::format(
            "'{}' was changed since it was pinned, and not in its pins alone; take what you want from '{}' yourself",
            words.files[0], backup_of(file).native()));
  }
  if (!words.dry_run && has_pins) fs::remove(pins_file);
  if (!words.dry_run && before) {
    write_like(file, file, *before);
    fs::remove(backup_of(file));
  }
  if (words.as_json) {
    const json printed = {{"file", words.files[0]},
                          {"restored_from", before ? json(backup_of(file).native()) : json()},
                          {"removed", has_pins ? json(pins_file.native()) : json()},
                          {"dry_run", words.dry_run}};
    print_json(printed);
    return 0;
  }
  if (has_pins) print_text(fmt::format("{} '{}'\n", words.dry_run ? "would remove" : "removed", pins_file.native()));
  if (before) {
    print_text(fmt::format("{} '{}' back as it was in '{}'\n", words.dry_run ? "would put" : "put", words.files[0],
                           backup_of(file).native()));
  }
  return 0;
}

// The files of the project: those that were named, and the override that Compose reads beside a single one by itself.
std::vector<std::string> project_files(const PinWords& words) {
  std::vector<std::string> files = words.files;
  if (files.size() == 1) {
    if (const auto beside = compose::automatic_override(files[0])) files.push_back(beside->native());
  }
  return files;
}

ServicePins pins_by_service(const PinWords& words, const DigestOf& digest_of, const std::string& release) {
  std::vector<compose::ComposeFile> files;
  std::vector<std::string> names;
  for (const std::string& file : project_files(words)) {
    files.push_back(compose::parse_compose_file(file, read_named_file(file, kMostBytes)));
    names.push_back(fs::path(file).filename().native());
  }
  compose::ComposeOptions options{fs::path(words.files[0]).parent_path(), environment_variable, {}};
  options.project_name = to_lower(fs::absolute(words.files[0]).parent_path().filename().native());
  ServicePins pins = pin_services(std::move(files), options, digest_of,
                                  printable(fmt::format("{} in {}", join(names, ", "), origin_of(release))));
  StderrLog log;
  for (const std::string& name : pins.unset)
    log.warn(fmt::format("the variable '{}' is not set, and counts as empty", name));
  return pins;
}

int write_pins(const PinWords& words, ServicePins pins, const std::string& release) {
  const fs::path pins_file = pins_file_of(words);
  const auto present = read_pins(pins_file);
  if (!words.dry_run && present != pins.text) write_like(present ? pins_file : file_of(words), pins_file, pins.text);
  PinResult result{std::move(pins.services), release, pins_file, project_files(words)};
  result.files.push_back(pins_file.native());
  return finish_pin(words, result);
}

// True where a service's image is known, but is not pinned where it stands.
bool needs_override(const std::vector<PinnedService>& in_place, const std::vector<PinnedService>& by_service) {
  return std::any_of(by_service.begin(), by_service.end(), [&](const PinnedService& service) {
    const auto same = std::find_if(in_place.begin(), in_place.end(),
                                   [&](const PinnedService& other) { return other.service == service.service; });
    return service.outcome == Outcome::pinned && same != in_place.end() && same->outcome == Outcome::unpinned;
  });
}

int pin_in_place(const PinWords& words, const DigestOf& digest_of, const std::string& release) {
  const fs::path file = file_of(words);
  const std::string text = read_named_file(file, kMostBytes);
  ComposePin pin = pin_compose(text, words.files[0], digest_of);
  const bool is_plain = std::none_of(pin.services.begin(), pin.services.end(),
                                     [](const PinnedService& service) { return service.outcome == Outcome::unpinned; });
  if (!is_plain) {
    ServicePins pins = pins_by_service(words, digest_of, release);
    if (needs_override(pin.services, pins.services)) return write_pins(words, std::move(pins), release);
    for (PinnedService& service : pin.services) {
      const auto same = std::find_if(pins.services.begin(), pins.services.end(),
                                     [&](const PinnedService& other) { return other.service == service.service; });
      if (service.outcome == Outcome::unpinned && same != pins.services.end()) {
        const int line = service.line;
        service = *same;
        service.line = line;
      }
    }
  }
  if (!words.dry_run && pin.text != text) {
    write_like(file, backup_of(file), text);
    write_like(file, file, pin.text);
  }
  return finish_pin(words, {std::move(pin.services), release, std::nullopt, words.files});
}

int run_pin(const PinWords& words, const CancelToken& cancel) {
  if (words.files.empty()) throw Error(Category::usage, "'kiln compose pin' needs a compose file");
  if (words.restore && (words.local || words.key || !words.release.empty()))
    throw Error(Category::usage, "--restore takes neither --release nor --local nor --key");
  if (words.local && words.key)
    throw Error(Category::usage, "--key is about a release at a registry; the store knows no signatures of its images");
  if (words.restore) return run_restore(words);
  if (words.local && !words.release.empty()) throw Error(Category::usage, "--release and --local exclude one another");
  for (const std::string& file : words.files) {
    if (!fs::exists(file))
      throw Error(Category::usage, fmt::format("the compose file '{}' does not exist", printable(file)));
  }
  const std::string text = read_named_file(file_of(words), kMostBytes);
  std::string release;
  const DigestOf digest_of =
      words.local ? digests_of_store(std::make_shared<ContentStore>(HomeLayout::open(HomeLayout::default_root())))
                  : digests_of_release(words, cancel, release);
  // Pins of an earlier run would go over what is written into the file: they are renewed.
  const auto present = read_file_if_exists(pins_file_of(words), kMostBytes);
  const bool has_pins = present && is_service_pins(*present);
  const bool has_include = ("\n" + text).find("\ninclude:") != std::string::npos;
  const bool by_service = words.by_service || words.files.size() > 1 || has_pins || has_include;
  if (!by_service) return pin_in_place(words, digest_of, release);
  return write_pins(words, pins_by_service(words, digest_of, release), release);
}

}  // namespace

void add_compose_command(Arguments& root) {
  const auto words = std::make_shared<PinWords>();
  Arguments& pin = root.command("compose", "Work with compose files.")
                       .command("pin", "Pin the images of a compose file by the digests of a release.");
  pin.positional("FILE", words->files, "the compose file, or several as for docker compose -f")
      .flag("--override", words->by_service,
            "leave FILE alone: pin by service in an override file beside it, STEM.pins.yaml (the default where FILE "
            "holds what cannot be pinned where it stands)")
      .option("--release", words->release, "the release that the digests are taken from (default: the newest)")
      .option("--key", words->key,
              "the release's record and its images must be signed by this public key: FILE or env://NAME (default: "
              "$KILN_VERIFY_KEY; --local asks for none)")
      .flag("--local", words->local, "take the digests that the names have in the store")
      .flag("--restore", words->restore,
            "put the file back as it was before it was pinned, and remove its override file")
      .flag("--dry-run", words->dry_run, "show; change nothing")
      .flag("--json", words->as_json, "print the result as JSON")
      .handler([words](const CancelToken& cancel) { return run_pin(*words, cancel); });
  add_published_words(pin, words->fleet);
}

}  // namespace kiln::cli

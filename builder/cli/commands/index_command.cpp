#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/json.hpp"
#include "base/output_file.hpp"
#include "base/text.hpp"
#include "builder/attest/attestation_manifest.hpp"
#include "builder/build/build.hpp"
#include "builder/build/fleet_plan.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/images/baked_index.hpp"
#include "builder/cli/images/image_documents.hpp"
#include "builder/cli/images/image_policy.hpp"
#include "builder/cli/images/registry_session.hpp"
#include "builder/cli/output/metadata.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/words/build_surroundings.hpp"
#include "builder/cli/words/output_files.hpp"
#include "builder/cli/words/selected_fleet.hpp"
#include "builder/cli/words/signing_keys.hpp"
#include "builder/sign/image_signatures.hpp"
#include "registry/oci/image_config.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/remote/push.hpp"

namespace kiln::cli {

namespace {

using nlohmann::json;

struct IndexWords {
  std::string destination;
  std::vector<std::string> sources;
  std::string tag;  // append: another name than the index's own
  std::optional<std::string> sign_key;
  std::optional<std::string> fleet_policy;
  std::optional<std::string> progress;
  bool quiet = false;
  bool dry_run = false;
  bool json = false;
};

// What a source brings into an index: its own entries where it is one, else itself with the platform of its config.
std::vector<oci::Descriptor> entries_of(RegistrySession& session, const oci::Reference& source) {
  const oci::Descriptor root = fetch_documents(session, source);
  const std::string where = fmt::format("'{}'", source.str());
  const std::string text = session.store().read(root.digest);
  if (oci::media_type::is_index(root.media_type)) return oci::parse_index(text, where).manifests;
  oci::Descriptor entry{root.media_type, root.digest, root.size, {}, {}, {}};
  const oci::Manifest manifest = oci::parse_manifest(text, where);
  const std::string& type = manifest.config.media_type;
  if (type == oci::media_type::kOciConfig || type == oci::media_type::kDockerConfig) {
    entry.platform = oci::parse_image_config(session.store().read(manifest.config.digest), where).platform;
  } else {
    entry.artifact_type = manifest.artifact_type;
  }
  return {entry};
}

// Attestations are for no platform, and there may be many of them.
bool names_platform(const oci::Descriptor& entry) { return entry.platform && !entry.platform->is_unknown(); }

enum class SamePlatform { refused, replaces };

void add_entry(oci::Index& index, const oci::Descriptor& entry, const std::string& source, SamePlatform same_platform) {
  const auto same = std::find_if(index.manifests.begin(), index.manifests.end(), [&](const oci::Descriptor& other) {
    return other.digest == entry.digest || (names_platform(entry) && names_platform(other) &&
                                            other.platform->normalised() == entry.platform->normalised());
  });
  if (same == index.manifests.end()) {
    index.manifests.push_back(entry);
  } else if (same->digest == entry.digest || same_platform == SamePlatform::replaces) {
    const oci::Digest replaced = std::exchange(*same, entry).digest;
    if (replaced == entry.digest) return;
    // Attestations of what goes speak of nothing any more.
    std::erase_if(index.manifests, [&](const oci::Descriptor& other) {
      const auto attested = other.annotations.find(kAttestedDigestAnnotation);
      return attested != other.annotations.end() && attested->second == replaced.str();
    });
  } else {
    throw Error(Category::usage, fmt::format("'{}' is a second image for {}; an index holds one for each platform",
                                             source, entry.platform->str()));
  }
}

// What was put under these names, signed once in each repository.
void sign_index(RegistrySession& session, const oci::Descriptor& root, const std::vector<std::string>& names,
                const std::optional<SigningKey>& key) {
  if (!key) return;
  StderrLog log;
  std::set<std::string> repositories;
  for (const std::string& name : names) repositories.insert(oci::Reference::parse(name).name());
  for (const std::string& repository : repositories) {
    const oci::Reference image = oci::Reference::parse(repository).with_digest(root.digest);
    sign_pushed_image(session.remote(), image, *key, log);
  }
}

// Nothing is put that the policy denies. The images' layers are where the session was told.
void check_index(RegistrySession& session, const FleetPolicy& policy, const oci::Reference& name,
                 const oci::Descriptor& root, const CancelToken& cancel) {
  if (!policy.rules.any()) return;
  ImagePolicy images(session, policy, cancel);
  images.check(name, root, std::nullopt);
  images.enforce(name.str());
}

int put_index(const IndexWords& words, RegistrySession& session, const oci::Index& index,
              const oci::Reference& destination, const std::optional<SigningKey>& key, const CancelToken& cancel) {
  if (destination.digest)
    throw Error(Category::usage, fmt::format("'{}' names a digest; a tag was expected", destination.str()));
  const oci::Descriptor root = session.store().put(serialise(index), index.media_type);
  PushRequest request{root, {destination}};
  if (!words.dry_run) {
    check_index(session, policy_here(words.fleet_policy), destination, root, cancel);
    push_image(session.remote(), session.store(), request, {}, &session.transfers());
    sign_index(session, root, {destination.str()}, key);
  }
  const WireStats& stats = session.remote().stats();
  const json wire = {{"pushed_bytes", stats.pushed_bytes.load()},
                     {"pulled_bytes", stats.pulled_bytes.load()},
                     {"mounted_bytes", stats.mounted_bytes.load()}};
  session.end_progress();
  json manifests = json::array();
  for (const oci::Descriptor& entry : index.manifests) {
    const std::string platform = entry.platform ? entry.platform->str() : "";
    manifests.push_back({{"digest", entry.digest.str()}, {"platform", platform}, {"media_type", entry.media_type}});
    if (!words.json) print_text(fmt::format("  {} {}\n", entry.digest.str(), printable(platform)));
  }
  if (words.json) {
    print_json(json{{"name", destination.str()},
                    {"digest", root.digest.str()},
                    {"manifests", manifests},
                    {"wire", wire},
                    {"dry_run", words.dry_run}});
  } else {
    print_text(fmt::format("{}{}@{}\n", words.dry_run ? "would put " : "put ", destination.str(), root.digest.str()));
  }
  return 0;
}

int run_create(const IndexWords& words, const CancelToken& cancel) {
  if (words.sources.empty())
    throw Error(Category::usage, "'kiln index create' needs the images that the index is to hold");
  const oci::Reference destination = oci::Reference::parse(words.destination);
  const std::optional<SigningKey> key = push_signing_key(words.sign_key, cancel);
  RegistrySession session(words.progress, words.quiet, cancel);
  oci::Index index;
  for (const std::string& source : words.sources) {
    for (const oci::Descriptor& entry : entries_of(session, oci::Reference::parse(source)))
      add_entry(index, entry, source, SamePlatform::refused);
  }
  return put_index(words, session, index, destination, key, cancel);
}

int run_append(const IndexWords& words, const CancelToken& cancel) {
  if (words.sources.empty())
    throw Error(Category::usage, "'kiln index append' needs the images that the index is to get");
  const oci::Reference existing = oci::Reference::parse(words.destination);
  const oci::Reference destination = words.tag.empty() ? existing : oci::Reference::parse(words.tag);
  const std::optional<SigningKey> key = push_signing_key(words.sign_key, cancel);
  RegistrySession session(words.progress, words.quiet, cancel);
  const oci::Descriptor root = fetch_documents(session, existing);
  if (!oci::media_type::is_index(root.media_type)) {
    throw Error(
        Category::usage,
        fmt::format("'{}' is no index but one image; 'kiln index create' makes an index of images", existing.str()));
  }
  // What else stands in it (annotations, subject) stays.
  oci::Index index = oci::parse_index(session.store().read(root.digest), fmt::format("'{}'", existing.str()));
  for (const std::string& source : words.sources) {
    for (const oci::Descriptor& entry : entries_of(session, oci::Reference::parse(source)))
      add_entry(index, entry, source, SamePlatform::replaces);
  }
  return put_index(words, session, index, destination, key, cancel);
}

struct BakeIndexWords {
  FleetWords fleet;
  std::optional<std::string> sign_key;
  std::optional<std::string> metadata_file;
  std::optional<std::string> progress;
};

int run_bake_index(const BakeIndexWords& words, const CancelToken& cancel) {
  refuse_unwritable(words.metadata_file, "--metadata-file");
  const DefinitionsSource source = find_definitions(words.fleet.definitions, cancel);
  StderrLog log;
  const SelectedFleet loaded =
      select_fleet(source.options, words.fleet.profiles, words.fleet.registry, MayFetch::yes, cancel, log);
  const Plan plan = plan_fleet(loaded.fleet, loaded.selected, loaded.naming);
  std::vector<std::string> targets;
  std::set<std::size_t> wanted;
  for (const TargetSpec* target : loaded.selected) {
    const auto numbers = numbers_of(plan, target->name);
    if (numbers.size() < 2) continue;
    targets.push_back(target->name);
    wanted.insert(numbers.begin(), numbers.end());
  }
  if (targets.empty())
    throw Error(Category::usage, "none of these targets is for several platforms; 'kiln bake --push' pushes an image");
  const auto inputs = fleet_inputs(plan, wanted, fleet_build_settings(loaded.fleet, ""),
                                   surroundings_of({words.progress, true}, cancel));
  const std::optional<SigningKey> key = push_signing_key(words.sign_key, cancel);
  RegistrySession session(words.progress, false, cancel);
  std::vector<BakedIndex> indexes;
  const FleetPolicy policy{loaded.fleet.settings.policy, loaded.fleet};
  const CheckIndex check = [&](const oci::Reference& name, const oci::Descriptor& root) {
    check_index(session, policy, name, root, cancel);
  };
  for (const std::string& target : targets) indexes.push_back(put_baked_index(session, plan, target, inputs, check));
  for (const BakedIndex& index : indexes) sign_index(session, index.root, index.names, key);
  session.end_progress();
  nlohmann::json metadata = nlohmann::json::object();
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const BakedIndex& index = indexes[i];
    metadata[targets[i]] = index_metadata(index.root, index.names);
    for (const oci::Descriptor& manifest : index.manifests)
      print_text(fmt::format("  {} {}\n", manifest.digest.str(), manifest.platform->str()));
    for (const std::string& name : index.names) print_text(fmt::format("put {}@{}\n", name, index.root.digest.str()));
  }
  if (words.metadata_file) write_output_file(*words.metadata_file, json_text(metadata, JsonLayout::indented) + "\n");
  return 0;
}

void add_common_words(Arguments& command, IndexWords& words) {
  add_fleet_policy_word(command, words.fleet_policy);
  command.flag("--dry-run", words.dry_run, "show the index; put nothing")
      .option("--sign-key", words.sign_key, kSignKeyHelp)
      .option("--progress", words.progress, "auto, tty, plain, verbose, quiet or rawjson")
      .flag("-q,--quiet", words.quiet, "show no progress")
      .flag("--json", words.json, "print the result as JSON");
}

}  // namespace

void add_index_command(Arguments& root) {
  const auto words = std::make_shared<IndexWords>();
  Arguments& index = root.command("index", "Make one name refer to images of several platforms.");
  Arguments& create = index.command("create", "Put an index of images that registries have.");
  create.required_positional("DST", words->destination, "the name it gets")
      .positional("REF", words->sources, "images; of an index all that it holds")
      .handler([words](const CancelToken& cancel) { return run_create(*words, cancel); });
  add_common_words(create, *words);
  Arguments& append =
      index.command("append", "Put further images into an index, in place of those of their platforms.");
  append.required_positional("INDEX", words->destination, "the index")
      .positional("REF", words->sources, "images; of an index all that it holds")
      .option("-t,--tag", words->tag, "the name that the new index gets (default: INDEX)")
      .handler([words](const CancelToken& cancel) { return run_append(*words, cancel); });
  add_common_words(append, *words);
  const auto bake_words = std::make_shared<BakeIndexWords>();
  Arguments& bake = index.command(
      "bake", "Put the indexes of a fleet's images whose platforms 'kiln bake --only-platform' has pushed one by one.");
  add_fleet_words(bake, bake_words->fleet);
  bake.option("--sign-key", bake_words->sign_key, kSignKeyHelp)
      .option("--metadata-file", bake_words->metadata_file, "write what was put to this file, as JSON")
      .option("--progress", bake_words->progress, "auto, tty, plain, verbose, quiet or rawjson")
      .handler([bake_words](const CancelToken& cancel) { return run_bake_index(*bake_words, cancel); });
}

}  // namespace kiln::cli

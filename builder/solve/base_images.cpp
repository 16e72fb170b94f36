#include "builder/solve/base_images.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "base/file_kind.hpp"
#include "base/temp_dir.hpp"
#include "base/text.hpp"
#include "builder/cache/step_key.hpp"
#include "builder/debian/debian_locker.hpp"
#include "builder/debian/rootfs.hpp"
#include "builder/layer/layer_writer.hpp"
#include "builder/layer/tar_import.hpp"
#include "builder/packages/package_url.hpp"
#include "builder/solve/debian_request.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/remote/pull.hpp"
#include "registry/store/image_names.hpp"
#include "registry/store/index_json.hpp"

namespace kiln {

namespace {

// Announces work that makes no step and reports how it ended.
class Task {
 public:
  Task(BuildObserver& observer, int number, std::string text) : observer_(observer), number_(number) {
    StepView view;
    view.number = number;
    view.text = std::move(text);
    observer_.step_started(view);
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() { observer_.task_finished(number_, done_ ? "" : "failed"); }
  void done() { done_ = true; }

 private:
  BuildObserver& observer_;
  int number_;
  bool done_ = false;
};

BaseImage from_manifest(const oci::Manifest& manifest, oci::ImageConfig config, const std::string& name,
                        const std::optional<RemoteRepository>& source) {
  if (manifest.layers.size() != config.diff_ids.size()) {
    throw Error(Category::network, fmt::format("image '{}': its manifest has {} layers and its config {}", name,
                                               manifest.layers.size(), config.diff_ids.size()));
  }
  BaseImage base;
  base.reference = name;
  for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
    const auto kind = compression_of_media_type(manifest.layers[i].media_type);
    if (!kind) {
      throw Error(Category::network, fmt::format("image '{}': layer {} has the media type '{}', which is no layer's",
                                                 name, i + 1, printable(manifest.layers[i].media_type)));
    }
    ImageLayer layer;
    layer.value.diff_id = config.diff_ids[i];
    layer.value.blobs = {{manifest.layers[i], Compression{*kind, {}}}};
    layer.text = name;
    layer.remote = source;
    layer.is_own = false;
    base.layers.push_back(std::move(layer));
  }
  base.config = std::move(config);
  return base;
}

// Copies a blob from a foreign OCI layout into the store, verified. What is in its place may be a device or grow
// without an end: no more is read than what its descriptor says.
void adopt_blob(ContentStore& store, const fs::path& layout, const oci::Descriptor& blob) {
  store.lease(blob.digest);
  if (store.has(blob.digest)) return;
  const fs::path path = layout / "blobs/sha256" / std::string(blob.digest.hex());
  const Fd file = open_read(path);
  BlobWriter writer = store.begin_blob();
  std::string buffer(std::size_t{1} << 20, '\0');
  const auto refuse = [&](std::string_view got) {
    throw Error(Category::network, fmt::format("image layout '{}': blob '{}': expected {} bytes, got {}",
                                               layout.native(), blob.digest.str(), blob.size, got));
  };
  while (const std::size_t got = read_some(file, buffer.data(), buffer.size(), path.native())) {
    if (got > blob.size - writer.size()) refuse("more");
    writer.write(std::string_view(buffer).substr(0, got));
  }
  if (writer.size() < blob.size) refuse(std::to_string(writer.size()));
  writer.commit(blob.digest, Durability::ephemeral);
}

// Copies an image of a foreign OCI layout, with all that its indexes hold and the layout has. Each document once: many
// indexes may name one child.
class Adoption {
 public:
  Adoption(ContentStore& store, const fs::path& layout)
      : store_(store), layout_(layout), where_(fmt::format("image layout '{}'", printable(layout.native()))) {}

  void adopt(const oci::Descriptor& document, int depth = 1) {
    if (!adopted_.insert(document.digest).second) return;
    if (adopted_.size() > oci::kMostImageDocuments)
      refuse(fmt::format("more than {} manifests in one image", oci::kMostImageDocuments));
    const bool is_index = oci::media_type::is_index(document.media_type);
    if (is_index && depth > oci::kMostIndexNesting)
      refuse(fmt::format("indexes are nested more than {} deep", oci::kMostIndexNesting));
    adopt_blob(store_, layout_, document);
    if (is_index) {
      for (const oci::Descriptor& child : oci::parse_index(store_.read(document.digest), where_).manifests) {
        if (fs::exists(layout_ / "blobs/sha256" / std::string(child.digest.hex()))) adopt(child, depth + 1);
      }
      return;
    }
    const oci::Manifest manifest = oci::parse_manifest(store_.read(document.digest), where_);
    adopt_blob(store_, layout_, manifest.config);
    for (const oci::Descriptor& layer : manifest.layers) adopt_blob(store_, layout_, layer);
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(Category::network, fmt::format("{}: {}", where_, why));
  }

  ContentStore& store_;
  const fs::path& layout_;
  std::string where_;
  std::set<oci::Digest> adopted_;
};

// What is wrong with a layout that words name is no fault of this machine.
nlohmann::json read_index_of(const LayoutBase& layout) {
  try {
    return read_index_file(layout.folder / "index.json");
  } catch (const Error& error) {
    throw Error(Category::usage, error.message());
  }
}

// The entry of a layout's index.json that a tag or digest names, or the only one.
oci::Descriptor choose_layout_entry(const LayoutBase& layout) {
  const std::string where = fmt::format("image layout '{}'", printable(layout.folder.native()));
  if (!kiln::is_regular_file(layout.folder / "index.json"))
    throw Error(Category::usage, fmt::format("{}: there is no index.json in it", where));
  std::vector<oci::Descriptor> entries;
  std::vector<std::string> names;
  const nlohmann::json index = read_index_of(layout);
  for (const auto& entry : index.at("manifests")) {
    oci::Descriptor descriptor = oci::descriptor_from_json(entry, where);
    const std::string name = ref_name_of(entry);
    if (layout.tag.empty() || name == layout.tag || descriptor.digest.str() == layout.tag)
      entries.push_back(descriptor);
    if (!name.empty()) names.push_back(name);
  }
  if (entries.empty() && layout.tag == "latest") return choose_layout_entry({layout.folder, ""});
  if (entries.empty()) {
    throw Error(Category::network,
                fmt::format("{} has no image '{}'{}", where, printable(layout.tag), suggestion(layout.tag, names)));
  }
  const bool are_same =
      std::all_of(entries.begin(), entries.end(), [&](const auto& entry) { return entry.digest == entries[0].digest; });
  if (!are_same)
    throw Error(Category::usage, fmt::format("{} has several images; name one with :TAG or @DIGEST", where));
  return entries.front();
}

void refuse_missing_packages(const DebianLock& lock, const PackageStore& packages, const std::string& name) {
  std::vector<std::string> missing;
  for (const LockedPackage& package : lock.packages) {
    if (!packages.has(package)) missing.push_back(package.name + " " + package.version);
  }
  if (missing.empty()) return;
  Error error(Category::network, fmt::format("--offline: {} of {} packages of '{}' are not in the store",
                                             missing.size(), lock.packages.size(), name));
  error.set_detail("  " + join(missing, "\n  ") + "\n");
  throw error;
}

Materials materials_of(const DebianLock& lock) {
  Materials materials;
  for (const LockedPackage& package : lock.packages) {
    StatedPackage stated;
    stated.name = package.name;
    stated.version = package.version;
    stated.architecture = package.architecture;
    materials.insert({package_url(stated, {}), "sha256:" + package.sha256});
  }
  return materials;
}

}  // namespace

BaseImage stored_image(ContentStore& store, const oci::Descriptor& root, const oci::Platform& platform,
                       const std::string& name) {
  const std::string where = fmt::format("image '{}'", name);
  oci::Descriptor manifest = root;
  if (oci::media_type::is_index(root.media_type)) {
    const oci::Index index = oci::parse_index(store.read(root.digest), where);
    const auto chosen = oci::choose_image(
        index, platform, [&](const oci::Descriptor& document) { return store.read(document.digest); }, where);
    if (!chosen) {
      throw Error(Category::network,
                  fmt::format("{} has no platform '{}'; it has: {}", where, platform.str(), oci::platforms_of(index)));
    }
    manifest = chosen->descriptor;
  }
  const oci::Manifest parsed = oci::parse_manifest(store.read(manifest.digest), where);
  BaseImage base =
      from_manifest(parsed, oci::parse_image_config(store.read(parsed.config.digest), where), name, std::nullopt);
  base.digest = manifest.digest;
  base.materials = {image_material(name, manifest.digest, platform)};
  return base;
}

BaseImage BaseImages::image(const std::string& reference, const oci::Platform& platform, Pull pull) {
  if (settings_.pull && !settings_.offline) pull = Pull::always;
  const std::string key = fmt::format("{} {}{}", reference, platform.str(), pull == Pull::always ? " anew" : "");
  return flights_.run(key, [&] { return fetch(reference, platform, pull); }).value;
}

BaseImage BaseImages::from_store_alone(const oci::Reference& reference, const oci::Platform& platform,
                                       const std::string& name) {
  ContentStore& store = access_.store();
  if (!reference.digest || !store.has(*reference.digest)) {
    throw Error(Category::network,
                fmt::format("--offline: the store has no image '{}'{}; 'kiln pull {}' brings it there", reference.str(),
                            reference.digest ? "" : ", and no lock says which digest is meant", name));
  }
  store.lease(*reference.digest);
  const std::string text = store.read(*reference.digest);
  BaseImage base = stored_image(store, {oci::detect_media_type(text, name), *reference.digest, text.size(), {}, {}, {}},
                                platform, name);
  // Where its layers would be fetched from, or mounted by a push that follows later.
  for (ImageLayer& layer : base.layers) layer.remote = RemoteRepository{{reference.registry}, reference.repository};
  return base;
}

BaseImage BaseImages::fetch(const std::string& name, const oci::Platform& platform, Pull pull) {
  const bool may_be_known = pull == Pull::where_needed || settings_.offline;
  ContentStore& store = access_.store();
  oci::Reference reference = oci::Reference::parse(name);
  if (settings_.prefer_local && may_be_known) {
    for (const std::string& known : {reference.str(), name}) {
      if (const auto root = find_image(store, known)) return stored_image(store, *root, platform, name);
    }
  }
  const std::string key = reference.str();
  if (!reference.digest && !settings_.lock_file.empty() && may_be_known) {
    if (const auto digest = Lock::read(settings_.lock_file).find_image(key, platform.str())) {
      reference.digest = oci::Digest::parse(*digest);
    } else if (settings_.lock_policy == LockPolicy::frozen) {
      throw Error(Category::usage, fmt::format("'{}' is not in '{}' and --locked is given; run 'kiln lock --update'",
                                               name, settings_.lock_file.native()));
    }
  }
  if (settings_.offline) return from_store_alone(reference, platform, name);
  Task task(observer_, observer_.new_number(), "resolve image " + reference.str());
  const PulledImage pulled =
      pull_image(remote_.get(), store, reference, platform, PullWhat::manifests, nullptr, OtherPlatform::take);
  if (!settings_.lock_file.empty() && !oci::Reference::parse(name).digest) {
    if (settings_.lock_policy == LockPolicy::use) {
      Lock::update(settings_.lock_file,
                   [&](Lock& lock) { lock.set_image(key, platform.str(), pulled.manifest.digest.str()); });
    } else if (settings_.lock_policy == LockPolicy::look && !reference.digest) {
      note_lock(key, fmt::format("would lock '{}' as {} first", key, pulled.manifest.digest.str()));
    }
  }
  task.done();
  BaseImage base = from_manifest(pulled.parsed, pulled.config, name, pulled.source);
  base.digest = pulled.manifest.digest;
  base.materials = {image_material(name, pulled.manifest.digest, platform)};
  return base;
}

BaseImage BaseImages::layout(const LayoutBase& layout, const oci::Platform& platform) {
  const oci::Descriptor root = choose_layout_entry(layout);
  const std::string name = "oci-layout://" + layout.folder.native();
  Adoption(access_.store(), layout.folder).adopt(root);
  return stored_image(access_.store(), root, platform, name);
}

std::vector<LayerValue> BaseImages::build_debian(const DebianLock& lock, const PackageStore& packages,
                                                 const DebianRequest& request, int number) {
  const TempDir work(access_.store().home().tmp(), "debian-");
  const fs::path tar = build_rootfs(lock, packages, work.path(), observer_, access_.cancel(),
                                    [&](std::string_view bytes) { observer_.step_output(number, bytes); });
  const TarImport import(open_read(tar), request.lock_name + " root file system", {Whiteouts::ordinary},
                         access_.cancel());
  LayerWriterOptions options;
  options.clamp_mtime = lock.epoch;
  LayerWriter writer(access_.store(), access_.pool(), options, access_.cancel());
  for (std::size_t i = 0; i < import.entries().size(); ++i) {
    if (!import.entries()[i].path.empty()) import.add_to(writer, i, import.entries()[i]);
  }
  return {writer.finish()};
}

OrBlocked<BaseImage> BaseImages::debian(const DebianRequest& request, const oci::Platform& platform,
                                        const std::string& target) {
  return debian_flights_
      .run(request.lock_name + " " + platform.str(), [&] { return build_debian_base(request, platform, target); })
      .value;
}

void BaseImages::lose(const Blocked& lost) {
  const std::lock_guard lock(debian_mutex_);
  for (const auto& [key, flight] : debian_steps_) {
    if (lost.lost.count(key)) debian_flights_.forget(flight);
  }
}

std::map<std::string, std::string> BaseImages::would_lock() const {
  const std::lock_guard lock(would_lock_mutex_);
  return would_lock_;
}

void BaseImages::note_lock(const std::string& name, std::string sentence) {
  const std::lock_guard lock(would_lock_mutex_);
  would_lock_[name] = std::move(sentence);
}

Step BaseImages::debian_step(const DebianRequest& request, const DebianLock& lock, const oci::Platform& platform,
                             const std::string& target) const {
  Step step;
  step.kind = StepKind::debian;
  step.key = StepKeyBuilder(to_string(StepKind::debian)).text("lock", lock_digest(lock)).finish();
  for (const LockedPackage& package : lock.packages) {
    step.inputs.push_back({input_name(InputType::package, package.name), package.version + " " + package.sha256});
  }
  step.inputs.push_back({input_name(InputType::epoch), std::to_string(lock.epoch)});
  step.view.target = target;
  step.view.platform = platform.str();
  step.view.text = fmt::format("DEBIAN {} {} ({} packages)", lock.spec.suite, lock.spec.variant, lock.packages.size());
  step.view.file = request.definition.native();
  step.slot = "debian " + request.lock_name;
  step.use_cache = settings_.use_cache;
  return step;
}

// A step that nothing is known of but what it is made for: no cache answers it.
OrBlocked<StepDone> BaseImages::unknown_debian_step(const DebianRequest& request, const oci::Platform& platform,
                                                    const std::string& target) {
  Step step;
  step.kind = StepKind::debian;
  step.view.target = target;
  step.view.platform = platform.str();
  step.view.text = fmt::format("DEBIAN {} {}", request.suite, request.variant);
  step.view.file = request.definition.native();
  step.use_cache = false;
  return steps_.solve(step);
}

OrBlocked<BaseImage> BaseImages::build_debian_base(const DebianRequest& request, const oci::Platform& platform,
                                                   const std::string& target) {
  const DebianSpec spec = debian_spec_of(request, platform);
  const HomeLayout& home = access_.store().home();
  const TempDir work(home.tmp(), "lock-");
  const DebianLocker locker({settings_.lock_file, home.debs(), work.path()}, lock_policy(), observer_,
                            access_.cancel());
  DebianLock lock;
  {
    Task task(observer_, observer_.new_number(),
              fmt::format("packages of Debian {} for {}", spec.suite, request.lock_name));
    const bool is_new = lock_policy() == LockPolicy::look && !locker.is_locked(request.lock_name, spec);
    try {
      lock = locker.entry(request.lock_name, spec);
    } catch (const Error& error) {
      // Where the archive cannot be asked, the rest of the forecast is worth having all the same.
      if (!is_new || (error.category() != Category::network && error.category() != Category::machine)) throw;
      observer_.warn(error.message());
      note_lock(request.lock_name, fmt::format("would lock the packages of '{}' first, which cannot be told from here",
                                               request.lock_name));
      task.done();
      const OrBlocked<StepDone> unknown = unknown_debian_step(request, platform, target);
      return unknown.blocked();
    }
    if (is_new) {
      note_lock(request.lock_name,
                fmt::format("would lock {} packages of '{}' first", lock.packages.size(), request.lock_name));
    }
    const bool is_needed = steps_.would_execute(debian_step(request, lock, platform, target));
    if (is_needed && settings_.offline) refuse_missing_packages(lock, locker.store(), request.lock_name);
    if (is_needed) lock = locker.entry_with_packages(request.lock_name, spec);
    task.done();
  }
  Step step = debian_step(request, lock, platform, target);
  step.execute = [&](int number, const LayerMade&) { return build_debian(lock, locker.store(), request, number); };
  {
    const std::lock_guard guard(debian_mutex_);
    debian_steps_[step.key] = request.lock_name + " " + platform.str();
  }
  const OrBlocked<StepDone> done = steps_.solve(step);
  if (done.is_blocked()) return done.blocked();

  BaseImage base;
  base.reference = request.lock_name;
  base.materials = materials_of(lock);
  base.config.platform = platform;
  base.config.config.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  base.config.config.cmd = std::vector<std::string>{"bash"};
  base.config.history.push_back({"", step.view.text, "", "kiln", false});
  ImageLayer layer;
  layer.value = done.value().record.layers.at(0);
  layer.key = step.key;
  layer.file = step.view.file;
  layer.text = step.view.text;
  base.layers.push_back(std::move(layer));
  return base;
}

}  // namespace kiln

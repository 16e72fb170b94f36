#include "builder/steps/run_step.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "base/process.hpp"
#include "base/temp_dir.hpp"
#include "base/text.hpp"
#include "builder/cache/step_record.hpp"
#include "builder/definitions/target_words.hpp"
#include "builder/layer/layer_writer.hpp"
#include "builder/layer/tree_scanner.hpp"
#include "builder/run/shown_folders.hpp"
#include "builder/steps/cut_upper.hpp"
#include "builder/steps/link_resolution.hpp"
#include "builder/steps/output_tail.hpp"
#include "builder/steps/run_key.hpp"
#include "builder/steps/secret_masks.hpp"
#include "builder/steps/source_secrets.hpp"
#include "registry/oci/image_config.hpp"

namespace kiln {

namespace {

namespace df = dockerfile;

const SecretSource* find_secret(const std::vector<SecretSource>* secrets, const std::string& id) {
  if (!secrets) return nullptr;
  const auto it =
      std::find_if(secrets->begin(), secrets->end(), [&](const SecretSource& secret) { return secret.id == id; });
  return it == secrets->end() ? nullptr : &*it;
}

// Owners are kept where this process may give files away.
void set_owner(const fs::path& path, const FileEntry& entry) {
  if (::lchown(path.c_str(), entry.uid, entry.gid) != 0 && errno != EPERM && errno != EINVAL)
    throw_errno("change the owner of", path.native());
}

// make and its kin compare the times of what they are given.
void set_time(const fs::path& path, const FileEntry& entry) {
  const timespec time{static_cast<time_t>(entry.mtime), 0};
  const timespec times[] = {time, time};
  if (::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    throw_errno("set the time of", path.native());
}

void copy_to_disk(const CopySource& source, const std::string& from, const fs::path& to) {
  FileBytes bytes_of_all(FileUse::mounted);
  source.walk(from, [&](const FileEntry& entry) {
    if (entry.type == EntryType::file) bytes_of_all.add(entry.path, entry.size);
    return true;
  });
  source.walk(from, [&](const FileEntry& entry) {
    const fs::path target = entry.path == from ? to : to / entry.path.substr(from.empty() ? 0 : from.size() + 1);
    if (entry.is_directory()) {
      make_directories(target);
      set_owner(target, entry);
      ::chmod(target.c_str(), entry.mode);
    } else if (entry.type == EntryType::symlink) {
      if (::symlink(entry.link.c_str(), target.c_str()) != 0) throw_errno("link", target.native());
      set_owner(target, entry);
    } else if (entry.type == EntryType::file) {
      const Fd file = create_file(target, entry.mode);
      const auto bytes = source.open(entry.path);
      std::string buffer(std::size_t{256} << 10, '\0');
      while (const std::size_t got = bytes->read(buffer.data(), buffer.size())) {
        write_all(file, std::string_view(buffer).substr(0, got), target.native());
      }
      set_owner(target, entry);
      ::fchmod(file.get(), entry.mode);
      set_time(target, entry);
    } else if (entry.type == EntryType::fifo) {
      if (::mkfifo(target.c_str(), 0600) != 0) throw_errno("create a FIFO at", target.native());
      set_owner(target, entry);
      ::chmod(target.c_str(), entry.mode);
      set_time(target, entry);
    }
    return true;
  });
}

CacheMountSharing sharing_of(df::CacheSharing sharing) {
  switch (sharing) {
    case df::CacheSharing::shared:
      return CacheMountSharing::shared;
    case df::CacheSharing::private_:
      return CacheMountSharing::private_;
    case df::CacheSharing::locked:
      return CacheMountSharing::locked;
  }
  return CacheMountSharing::shared;
}

void complete_secret(df::Mount& secret) {
  if (secret.id.empty()) secret.id = secret.source;
  if (secret.id.empty()) secret.id = base_name(secret.target);
  if (secret.id.empty()) throw Error(Category::usage, "--mount=type=secret: 'id' or 'target' is missing");
  if (secret.target.empty() && !secret.environment) secret.target = "/run/secrets/" + std::string(base_name(secret.id));
}

const SshForward* find_agent(const std::vector<SshForward>* forwards, const std::string& id) {
  if (!forwards) return nullptr;
  const auto it = std::find_if(forwards->begin(), forwards->end(), [&](const SshForward& ssh) { return ssh.id == id; });
  return it == forwards->end() ? nullptr : &*it;
}

// What makes programs of another machine run.
std::string foreign_advice(const oci::Platform& platform) {
  return fmt::format(
      "; this machine is {} and has no handler for programs of {}: install one with 'apt-get install qemu-user-static "
      "binfmt-support' (kernel module binfmt_misc), or build for {} on such a machine",
      oci::Platform::host().str(), platform.str(), platform.str());
}

// Of the secrets that the command was given: a URL may be made of one.
SecretMasks masks_of(const RunCommand& command) {
  SecretMasks masks;
  for (const ResolvedMount& mount : command.mounts) {
    if (mount.options.type != df::MountType::secret) continue;
    if (const SecretSource* secret = find_secret(command.secrets, mount.options.id)) masks.add(read_secret(*secret));
  }
  return masks;
}

bool has_variable(const std::vector<std::string>& env, const std::string& name) {
  return std::any_of(env.begin(), env.end(),
                     [&](const std::string& variable) { return variable.starts_with(name + "="); });
}

}  // namespace

void complete_mounts(std::vector<ResolvedMount>& mounts) {
  int agents = 0;
  for (ResolvedMount& mount : mounts) {
    df::Mount& options = mount.options;
    if (options.type == df::MountType::secret) complete_secret(options);
    if (options.type != df::MountType::ssh) continue;
    if (options.id.empty()) options.id = "default";
    if (options.target.empty()) options.target = fmt::format("/run/buildkit/ssh_agent.{}", agents);
    ++agents;
  }
}

struct RunSteps::Held {
  std::string step;  // what is fetched for its mounts is fetched for this instruction
  std::vector<std::shared_ptr<const CacheMountLease>> caches;
  std::vector<CacheMountName> shared;
  std::vector<TempDir> folders;
  std::vector<SnapshotChain> chains;
};

RunSteps::RunSteps(LayerAccess& access, ContainerRunner& runner, BuildObserver& observer, RunSettings settings,
                   SharedMounts* shared)
    : access_(access),
      runner_(runner),
      observer_(observer),
      settings_(std::move(settings)),
      caches_(access.store().home()),
      shared_(shared),
      slots_(settings_.parallel) {}

void RunSteps::share_mounts() {
  if (shared_) shared_->save(caches_);
}

// The agent's socket behind --ssh: ID of the environment's, ID=SOCKET, or one of kiln's own for ID=KEY.
fs::path RunSteps::agent_of(const SshForward& ssh) {
  if (ssh.paths.empty()) {
    const auto agent = environment_variable("SSH_AUTH_SOCK");
    if (!agent)
      throw Error(Category::usage,
                  fmt::format("--ssh {}: no agent is running here (SSH_AUTH_SOCK is not set)", ssh.id));
    return *agent;
  }
  if (fs::is_socket(ssh.paths[0])) return ssh.paths[0];
  const std::lock_guard lock(agents_mutex_);
  auto& agent = agents_[ssh.id];
  if (!agent) agent = std::make_unique<SshAgent>(ssh.paths, fs::temp_directory_path(), access_.cancel());
  return agent->socket();
}

BindSource RunSteps::bind_source(const CopySource& source, const std::string& path, Held& held) {
  BindSource bind;
  if (const ImageLayers* layers = source.image_layers()) {
    held.chains.push_back(still_there(access_.folders().of(*layers, held.step)));
    bind.folders = shown_folders(held.chains.back(), still_there(access_.view(*layers)));
    bind.path = path;
    return bind;
  }
  // What of a context is shown is what its ignore file leaves, with the owners and modes a COPY would give it.
  held.folders.emplace_back(access_.store().home().tmp(), "bind-");
  const std::string from = source.resolve(path);
  copy_to_disk(source, from, held.folders.back().path() / "source");
  const auto entry = source.lookup(from);
  bind.folders = {held.folders.back().path()};
  bind.path = "source";
  if (entry && entry->is_directory()) {
    bind.folders = {held.folders.back().path() / "source"};
    bind.path.clear();
  }
  return bind;
}

CacheMountName RunSteps::cache_name(const df::Mount& mount) const {
  CacheMountName name{mount.id.empty() ? mount.target : mount.id, mount.mode.value_or(0755), mount.uid, mount.gid};
  if (std::string masked = settings_.masked(name.id); masked != name.id) name.masked_id = std::move(masked);
  return name;
}

WantedCacheMount RunSteps::wanted_cache(const ResolvedMount& mount, const std::string& step) {
  const CacheMountName name = cache_name(mount.options);
  const auto fill = [this, name, &mount, &step](const fs::path& folder) {
    const df::Mount& options = mount.options;
    if (shared_ && shared_->restore(name, folder, step)) return;
    if (!mount.source) return;
    copy_to_disk(*mount.source, mount.source->resolve(canonical_copy_path(options.source)), folder);
    // The folder is the source's unless the mount says whose it is.
    if (options.mode) ::chmod(folder.c_str(), *options.mode & 07777);
    if ((options.uid != 0 || options.gid != 0) && ::chown(folder.c_str(), options.uid, options.gid) != 0)
      throw_errno("change the owner of", folder.native());
  };
  return {name, sharing_of(mount.options.sharing), fill};
}

// Last of all that a RUN needs: others may wait for them.
void RunSteps::take_caches(RunRequest& request, const RunCommand& command, Held& held) {
  std::vector<WantedCacheMount> wanted;
  for (const ResolvedMount& mount : command.mounts) {
    if (mount.options.type != df::MountType::cache) continue;
    wanted.push_back(wanted_cache(mount, held.step));
    if (shared_ && !mount.options.read_only) held.shared.push_back(wanted.back().name);
  }
  held.caches = caches_.acquire_all(wanted, command.stop);
  std::size_t next = 0;
  for (RunMount& mount : request.mounts) {
    if (auto* cache = std::get_if<CacheSource>(&mount.source)) cache->folder = held.caches.at(next++)->folder();
  }
}

void RunSteps::add_mount(RunRequest& request, const RunCommand& command, const ResolvedMount& mount, Held& held) {
  const df::Mount& options = mount.options;
  switch (options.type) {
    case df::MountType::bind: {
      BindSource bind = bind_source(*mount.source, canonical_copy_path(options.source), held);
      bind.writable = !options.read_only;
      request.mounts.push_back({options.target, std::move(bind)});
      return;
    }
    case df::MountType::cache: {
      // Which folder that is, is known once all caches are taken.
      request.mounts.push_back({options.target, CacheSource{{}, "", options.read_only}});
      return;
    }
    case df::MountType::tmpfs:
      request.mounts.push_back({options.target, TmpfsSource{options.size_bytes, options.read_only}});
      return;
    case df::MountType::secret: {
      const SecretSource* secret = find_secret(command.secrets, options.id);
      if (!secret) {
        if (options.required) {
          throw Error(Category::build,
                      fmt::format("secret '{}' is required and was not given; pass --secret id={},src=FILE", options.id,
                                  options.id));
        }
        return;
      }
      const std::string value = read_secret(*secret);
      if (options.environment) {
        if (value.find('\0') != std::string::npos) {
          throw Error(Category::build, fmt::format("secret '{}' holds a NUL byte, which no environment variable can; "
                                                   "mount it as a file, without env=",
                                                   printable(options.id)));
        }
        request.env.push_back(*options.environment + "=" + value);
      }
      if (!options.target.empty()) {
        request.mounts.push_back(
            {options.target, FileSource{value, options.mode.value_or(0400), options.uid, options.gid}});
      }
      return;
    }
    case df::MountType::ssh: {
      const SshForward* forward = find_agent(command.ssh, options.id);
      if (!forward) {
        if (options.required) {
          throw Error(Category::build, fmt::format("ssh agent '{}' is required and was not forwarded; pass --ssh {}",
                                                   options.id, options.id));
        }
        return;
      }
      request.mounts.push_back(
          {options.target, kiln::SshSource{agent_of(*forward), options.mode.value_or(0600), options.uid, options.gid}});
      if (!has_variable(request.env, "SSH_AUTH_SOCK")) request.env.push_back("SSH_AUTH_SOCK=" + options.target);
      return;
    }
  }
}

void RunSteps::announce_trust() {
  if (settings_.trust.in_use() && !trust_announced_.exchange(true)) {
    observer_.info(fmt::format(
        "RUN sees this machine's certificate authorities ({}); nothing of them is in any layer, config or key",
        settings_.trust.reason));
  }
}

LayerValue RunSteps::layer_of(const SnapshotUpper& upper, const RunCommand& command, const MergedView& below) {
  const fs::path& folder = upper.folders().fs;
  const ScannedTree tree =
      scan_upper(folder, access_.snapshots().overlay_xattrs(), below, access_.pool(), access_.cancel());
  LayerWriterOptions options;
  options.compression = command.compression;
  options.clamp_mtime = command.rewrite_times;
  LayerWriter writer(access_.store(), access_.pool(), options, access_.cancel());
  const Fd root = open_directory(folder);
  for (const FileEntry& entry : tree.entries) {
    if (entry.type == EntryType::file && entry.size > 0) {
      writer.add(entry, open_scanned(root, entry.path), "'/" + entry.path + "'");
    } else {
      writer.add(entry);
    }
  }
  return writer.finish();
}

// What was recorded, without the values of secrets. What was blocked under a command that went well is told here.
RecordedRun RunSteps::end_recording(RunRecording& recording, const RunCommand& command, bool has_failed) {
  RecordedRun seen = recording.finish();
  const SecretMasks secrets = masks_of(command);
  const auto masked = [&](const std::string& text) { return secrets.masked(settings_.masked(text)); };
  for (Download download : std::exchange(seen.record.downloads, {})) {
    download.url = masked(download.url);
    seen.record.downloads.insert(std::move(download));
  }
  for (Tunnel tunnel : std::exchange(seen.record.tunnels, {})) {
    tunnel.host = masked(tunnel.host);
    seen.record.add(tunnel);
  }
  for (auto* texts : {&seen.problems, &seen.refused, &seen.blocked}) {
    for (std::string& text : *texts) text = masked(text);
  }
  if (has_failed) return seen;
  for (const std::string& attempt : seen.blocked) {
    observer_.warn(fmt::format("RUN at {} tried {} around the recording proxy; blocked", command.where, attempt));
  }
  for (const auto& texts : {seen.refused, recording.warnings()}) {
    for (const std::string& text : texts) observer_.warn(fmt::format("RUN at {}: {}", command.where, text));
  }
  return seen;
}

// Error{build} where the command fails or cannot be started.
void RunSteps::run_command(const RunCommand& command, const RunRequest& asked, int number,
                           std::optional<NetworkRecord>& network) {
  OutputTail tail;
  RunResult result;
  std::string explanation;
  {
    const WorkSlots::Slot slot = slots_.acquire(access_.cancel());
    RunRequest request = asked;
    std::optional<RunRecording> recording;
    if (request.network == RunNetwork::recorded || (settings_.network_log && request.network == RunNetwork::host))
      recording.emplace(request, settings_.unrecorded_hosts);
    result = runner_.run(
        access_.store().home(), request,
        [&](std::string_view bytes) {
          tail.add(bytes);
          observer_.step_output(number, bytes);
        },
        access_.cancel());
    if (recording) {
      const bool has_failed = result.exit_code != 0;
      RecordedRun seen = end_recording(*recording, command, has_failed);
      if (has_failed)
        seen.problems.insert(seen.problems.end(), recording->warnings().begin(), recording->warnings().end());
      explanation = seen.explanation();
      network = std::move(seen.record);
    } else if (settings_.network_log) {
      network = NetworkRecord{NetworkPromise::none, {}, {}, 0};
    }
  }
  for (const std::string& warning : result.warnings) observer_.warn(warning);
  if (result.exit_code == 0) return;
  // What the container runtime says of a program that the kernel does not know comes as the command's output.
  const bool is_foreign = command.platform.architecture != oci::Platform::host().architecture &&
                          tail.text().find("exec format error") != std::string::npos;
  Error error(Category::build,
              fmt::format("the command '{}' ended with exit code {}{}{}{}", join(command.argv, " "), result.exit_code,
                          result.out_of_memory ? ": the kernel killed it for want of memory" : "",
                          is_foreign ? foreign_advice(command.platform) : "", explanation));
  error.set_detail(tail.text());
  throw error;
}

std::unique_ptr<FailedRun> RunSteps::take_failed() {
  const std::lock_guard lock(failed_mutex_);
  return std::move(failed_);
}

Step RunSteps::step(RunCommand command, ImageLayers below, const std::string& text) {
  StepIdentity identity = run_identity(command, below, settings_);
  Step step;
  step.kind = StepKind::run;
  step.key = std::move(identity.key);
  step.inputs = std::move(identity.inputs);
  const auto network = std::make_shared<std::optional<NetworkRecord>>();
  step.network = network;
  step.execute = [this, command = std::move(command), below = std::move(below), text, network](int number,
                                                                                               const LayerMade& made) {
    return execute(command, below, {text, number, made, *network});
  };
  return step;
}

OrBlocked<std::vector<LayerValue>> RunSteps::execute(const RunCommand& command, const ImageLayers& below,
                                                     const Execution& execution) {
  const std::string& text = execution.text;
  const int number = execution.number;
  announce_trust();
  for (const ResolvedMount& mount : command.mounts) {
    if (!mount.source) continue;
    // A cache that is there already needs nothing of its source.
    if (mount.options.type == df::MountType::cache && caches_.try_lock(cache_name(mount.options))) continue;
    if (const auto blocked = mount.source->bring()) return *blocked;
  }
  OrBlocked<SnapshotChain> folders = access_.folders().of(below, text);
  if (folders.is_blocked()) return folders.blocked();
  const SnapshotChain chain = std::move(folders).value();
  SnapshotUpper upper = access_.snapshots().begin_upper();
  const auto held = std::make_shared<Held>();
  held->step = text;
  RunRequest request;
  request.lowers = shown_folders(chain, still_there(access_.view(below)));
  request.upper = upper.folders();
  request.argv = command.argv;
  request.env = command.env;
  request.working_dir = command.working_dir;
  request.uid = command.user.uid;
  request.gid = command.user.gid;
  request.groups = command.user.groups;
  for (const ResolvedMount& mount : command.mounts) add_mount(request, command, mount, *held);
  take_caches(request, command, *held);
  if (command.script) request.mounts.push_back({command.script->path, FileSource{command.script->text, 0755, 0, 0}});
  request.network = command.network;
  request.security = command.security;
  request.extra_hosts = command.extra_hosts;
  request.limits = command.limits;
  request.shm_bytes = command.shm_bytes;
  request.trust = settings_.trust;
  request.proxies = merged_environment(command.proxies, settings_.host_proxies);

  try {
    run_command(command, request, number, execution.network);
  } catch (const Error& error) {
    if (!settings_.keep_failed || error.category() != Category::build) throw;
    // A person looks into it, with the machine's network; nothing of it is kept.
    if (request.network == RunNetwork::recorded) request.network = RunNetwork::host;
    const std::lock_guard lock(failed_mutex_);
    if (!failed_) failed_.reset(new FailedRun{std::move(request), command.shell, chain, std::move(upper), held});
    throw;
  }
  for (const CacheMountName& name : held->shared) shared_->used(name);
  if (command.cutting) {
    const UpperToCut what{still_there(access_.view(below)), chain.chain_id(), *command.cutting, command.compression};
    return cut_upper(
        access_, std::move(upper), what,
        {[&](const std::string& note) { observer_.info(fmt::format("{}: {}", text, note)); },
         [&](const std::string& detail) { observer_.step_output(number, detail + "\n"); }, execution.made});
  }
  const LayerValue layer = layer_of(upper, command, still_there(access_.view(below)));
  access_.snapshots().adopt(std::move(upper), oci::chain_id(chain.chain_id(), layer.diff_id));
  return std::vector<LayerValue>{layer};
}

}  // namespace kiln

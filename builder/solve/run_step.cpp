#include "builder/solve/run_step.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/process.hpp"
#include "base/temp_dir.hpp"
#include "base/text.hpp"
#include "builder/cache/step_key.hpp"
#include "builder/cache/step_record.hpp"
#include "builder/layer/layer_writer.hpp"
#include "builder/layer/tree_scanner.hpp"
#include "builder/solve/link_resolution.hpp"
#include "builder/solve/output_tail.hpp"
#include "registry/oci/image_config.hpp"

namespace kiln {

namespace {

namespace df = dockerfile;

constexpr std::uint64_t kMaxSecretBytes = std::uint64_t{500} << 10;  // BuildKit's limit

std::string_view word_of(RunNetwork network) { return network == RunNetwork::none ? "none" : "host"; }

std::string_view word_of(RunSecurity security) {
  switch (security) {
    case RunSecurity::sandbox: return "sandbox";
    case RunSecurity::hardened: return "hardened";
    case RunSecurity::insecure: return "insecure";
  }
  return "sandbox";
}

// A digest of all that a mount shows of a tree, times excepted; its files are told one by one.
std::string tree_digest(const CopySource& source, const std::string& path, std::vector<RawInput>& inputs) {
  const std::string root = source.resolve(path);
  if (!source.lookup(root)) {
    const std::string why = source.why_missing(path);
    throw Error(Category::build, fmt::format("'/{}' is not in {}{}{}", printable(path), source.describe(), why.empty() ? "" : "; ", why));
  }
  std::vector<FileEntry> entries;
  source.walk(root, [&](const FileEntry& entry) {
    entries.push_back(entry);
    return true;
  });
  std::vector<FileEntry*> files;
  for (FileEntry& entry : entries) {
    if (entry.type == EntryType::file && entry.content.empty()) files.push_back(&entry);
  }
  source.digest(files);
  StepKeyBuilder digest("tree");
  for (const FileEntry& entry : entries) {
    digest.list("entry", {entry.path.substr(std::min(root.size(), entry.path.size())), std::string(1, to_letter(entry.type)),
                          fmt::format("{:o}", entry.mode), std::to_string(entry.uid), std::to_string(entry.gid),
                          entry.content.str(), entry.link});
    inputs.push_back({(entry.is_directory() ? "directory /" : "file ") + entry.path, fmt::format("{}{} {:o} {}:{}", entry.content.str(), entry.link, entry.mode, entry.uid, entry.gid), false});
  }
  return digest.finish();
}

std::vector<std::string> mount_key(const ResolvedMount& mount, std::vector<RawInput>& inputs) {
  const df::Mount& options = mount.options;
  std::vector<std::string> key = {df::to_string(options.type), options.target};
  switch (options.type) {
    case df::MountType::bind:
      key.push_back(options.read_only ? "ro" : "rw");
      key.push_back(tree_digest(*mount.source, canonical_copy_path(options.source), inputs));
      break;
    case df::MountType::tmpfs:
      key.push_back(std::to_string(options.size_bytes));
      break;
    case df::MountType::cache:
    case df::MountType::secret:
    case df::MountType::ssh:
      // What they hold may change without the step's result counting as another.
      key.push_back(options.id);
      break;
  }
  return key;
}

// The layers a step is built on: those of a foreign base as one, the others by the line that made each.
void add_parent_inputs(const ImageLayers& below, std::vector<RawInput>& inputs) {
  std::vector<oci::Digest> base;
  std::size_t number = 0;
  for (const ImageLayer& layer : below) {
    if (layer.key.empty()) {
      base.push_back(layer.value.diff_id);
      continue;
    }
    const std::string where = layer.line ? fmt::format("{}, {}:{}", layer.text, layer.file, layer.line) : layer.text;
    inputs.push_back({fmt::format("parent layer {}", ++number), layer.value.diff_id.str(), false, where});
  }
  if (!base.empty()) inputs.push_back({"base image", oci::chain_id(base).str()});
}

const SecretSource* find_secret(const std::vector<SecretSource>* secrets, const std::string& id) {
  if (!secrets) return nullptr;
  const auto it = std::find_if(secrets->begin(), secrets->end(), [&](const SecretSource& secret) { return secret.id == id; });
  return it == secrets->end() ? nullptr : &*it;
}

std::string read_secret(const SecretSource& secret) {
  if (secret.environment) {
    const auto value = environment_variable(*secret.environment);
    if (!value) {
      throw Error(Category::usage, fmt::format("secret '{}': the environment variable '{}' is not set", secret.id, *secret.environment));
    }
    return *value;
  }
  return read_file(*secret.file, kMaxSecretBytes);
}

void copy_to_disk(const CopySource& source, const std::string& from, const fs::path& to) {
  source.walk(from, [&](const FileEntry& entry) {
    const fs::path target = entry.path == from ? to : to / entry.path.substr(from.empty() ? 0 : from.size() + 1);
    if (entry.is_directory()) {
      make_directories(target);
      ::chmod(target.c_str(), entry.mode);
    } else if (entry.type == EntryType::symlink) {
      if (::symlink(entry.link.c_str(), target.c_str()) != 0) throw_errno("link", target.native());
    } else if (entry.type == EntryType::file) {
      const Fd file = create_file(target, entry.mode);
      const auto bytes = source.open(entry.path);
      std::string buffer(std::size_t{256} << 10, '\0');
      while (const std::size_t got = bytes->read(buffer.data(), buffer.size())) {
        write_all(file, std::string_view(buffer).substr(0, got), target.native());
      }
      ::fchmod(file.get(), entry.mode);
    }
    return true;
  });
}

CacheMountSharing sharing_of(df::CacheSharing sharing) {
  switch (sharing) {
    case df::CacheSharing::shared: return CacheMountSharing::shared;
    case df::CacheSharing::private_: return CacheMountSharing::private_;
    case df::CacheSharing::locked: return CacheMountSharing::locked;
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

bool has_variable(const std::vector<std::string>& env, const std::string& name) {
  return std::any_of(env.begin(), env.end(), [&](const std::string& variable) { return variable.starts_with(name + "="); });
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
  std::vector<CacheMountLease> caches;
  std::vector<TempDir> folders;
  std::vector<SnapshotChain> chains;
};

RunSteps::RunSteps(LayerAccess& access, Runner& runner, BuildObserver& observer, RunSettings settings, std::size_t parallel)
    : access_(access), runner_(runner), observer_(observer), settings_(std::move(settings)),
      caches_(access.store().home()), slots_(parallel) {}

std::string RunSteps::key_of(const RunCommand& command, const ImageLayers& below, std::vector<RawInput>& inputs) const {
  if (command.security == RunSecurity::insecure && !settings_.allow_insecure) {
    throw Error(Category::usage, "RUN --security=insecure is not allowed; pass --allow security.insecure");
  }
  std::vector<std::string> parents;
  for (const ImageLayer& layer : below) parents.push_back(layer.value.diff_id.str());
  std::vector<std::string> groups;
  for (const std::uint32_t group : command.user.groups) groups.push_back(std::to_string(group));
  std::vector<std::string> env = command.env;
  std::sort(env.begin(), env.end());

  StepKeyBuilder key("run");
  key.text("platform", command.platform.str()).list("parents", parents);
  key.number("user.uid", command.user.uid).number("user.gid", command.user.gid).list("user.groups", groups);
  key.text("cwd", command.working_dir).list("env", env).list("argv", command.argv);
  if (command.script) key.text("heredoc", command.script->text);
  inputs.push_back({"command", join(command.argv, " ")});
  if (command.script) inputs.push_back({"script", command.script->text});
  add_parent_inputs(below, inputs);
  for (const ResolvedMount& mount : command.mounts) {
    std::vector<RawInput> files;
    const auto item = mount_key(mount, files);
    key.list("mount", item);
    // What the files say is not said again of the mount.
    std::move(files.begin(), files.end(), std::back_inserter(inputs));
    const bool is_tree = mount.options.type == df::MountType::bind;
    inputs.push_back({fmt::format("mount {} {}", item[0], item[1]), is_tree ? item[2] : join(item, " "), false});
  }
  key.text("network", word_of(command.network)).text("security", word_of(command.security));
  std::vector<std::string> hosts, limits;
  for (const auto& [name, address] : settings_.extra_hosts) {
    hosts.push_back(name + ":" + address);
    inputs.push_back({"host " + name, address});
  }
  for (const RunLimit& limit : settings_.limits) {
    limits.push_back(fmt::format("{}={}:{}", limit.name, limit.soft, limit.hard));
    inputs.push_back({"ulimit " + limit.name, fmt::format("{}:{}", limit.soft, limit.hard)});
  }
  key.list("hosts", hosts).list("ulimits", limits).number("shm", static_cast<std::int64_t>(settings_.shm_bytes));
  inputs.push_back({"shm size", std::to_string(settings_.shm_bytes)});
  if (settings_.rewrite_times) {
    key.number("times", *settings_.rewrite_times);
    inputs.push_back({"times of files", std::to_string(*settings_.rewrite_times)});
  }
  inputs.push_back({"working directory", command.working_dir});
  inputs.push_back({"user", fmt::format("{}:{} {}", command.user.uid, command.user.gid, join(groups, ","))});
  inputs.push_back({"platform", command.platform.str()});
  inputs.push_back({"network", std::string(word_of(command.network))});
  inputs.push_back({"security", std::string(word_of(command.security))});
  for (const std::string& variable : command.env) {
    const std::string name = variable.substr(0, variable.find('='));
    const char* type = command.profile_keys.count(name) ? "profile" : command.args.count(name) ? "ARG" : "ENV";
    inputs.push_back({fmt::format("{} {}", type, name), variable.substr(name.size() + 1)});
  }
  return key.finish();
}

// The agent's socket behind --ssh: ID of the environment's, ID=SOCKET, or one of kiln's own for ID=KEY.
fs::path RunSteps::agent_of(const SshForward& ssh) {
  if (ssh.paths.empty()) {
    const auto agent = environment_variable("SSH_AUTH_SOCK");
    if (!agent) throw Error(Category::usage, fmt::format("--ssh {}: no agent is running here (SSH_AUTH_SOCK is not set)", ssh.id));
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
  if (const auto* image = dynamic_cast<const ImageSource*>(&source)) {
    held.chains.push_back(access_.folders(image->layers()));
    bind.folders = held.chains.back().folders();
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
      const CacheMountName name{options.id.empty() ? options.target : options.id, options.mode.value_or(0755), options.uid, options.gid};
      const auto fill = [&](const fs::path& folder) {
        if (mount.source) copy_to_disk(*mount.source, mount.source->resolve(canonical_copy_path(options.source)), folder);
      };
      held.caches.push_back(caches_.acquire(name, sharing_of(options.sharing), access_.cancel(), fill));
      request.mounts.push_back({options.target, CacheSource{held.caches.back().folder(), "", options.read_only}});
      return;
    }
    case df::MountType::tmpfs:
      request.mounts.push_back({options.target, TmpfsSource{options.size_bytes}});
      return;
    case df::MountType::secret: {
      const SecretSource* secret = find_secret(command.secrets, options.id);
      if (!secret) {
        if (options.required) {
          throw Error(Category::build, fmt::format("secret '{}' is required and was not given; pass --secret id={},src=FILE", options.id, options.id));
        }
        return;
      }
      const std::string value = read_secret(*secret);
      if (options.environment) request.env.push_back(*options.environment + "=" + value);
      if (!options.target.empty()) {
        request.mounts.push_back({options.target, FileSource{value, options.mode.value_or(0400), options.uid, options.gid}});
      }
      return;
    }
    case df::MountType::ssh: {
      const SshForward* forward = find_agent(command.ssh, options.id);
      if (!forward) {
        if (options.required) {
          throw Error(Category::build, fmt::format("ssh agent '{}' is required and was not forwarded; pass --ssh {}", options.id, options.id));
        }
        return;
      }
      request.mounts.push_back({options.target, kiln::SshSource{agent_of(*forward), options.mode.value_or(0600), options.uid, options.gid}});
      if (!has_variable(request.env, "SSH_AUTH_SOCK")) request.env.push_back("SSH_AUTH_SOCK=" + options.target);
      return;
    }
  }
}

void RunSteps::announce_trust() {
  if (settings_.trust.in_use() && !trust_announced_.exchange(true)) {
    observer_.info(fmt::format("RUN sees this machine's certificate authorities ({}); nothing of them is in any layer, config or key",
                               settings_.trust.reason));
  }
}

LayerValue RunSteps::layer_of(const SnapshotUpper& upper, const RunCommand& command, const MergedView& below) {
  const fs::path& folder = upper.folders().fs;
  const ScannedTree tree = scan_upper(folder, access_.snapshots().overlay_xattrs(), below, access_.pool(), access_.cancel());
  LayerWriterOptions options;
  options.compression = command.compression;
  options.clamp_mtime = settings_.rewrite_times;
  LayerWriter writer(access_.store(), access_.pool(), options, access_.cancel());
  const Fd root = open_directory(folder);
  for (const FileEntry& entry : tree.entries) {
    if (entry.type == EntryType::file && entry.size > 0) {
      writer.add(entry, open_scanned(root, entry.path), "/" + entry.path);
    } else {
      writer.add(entry);
    }
  }
  return writer.finish();
}

std::vector<LayerValue> RunSteps::execute(const RunCommand& command, const ImageLayers& below, int number) {
  announce_trust();
  const SnapshotChain chain = access_.folders(below);
  SnapshotUpper upper = access_.snapshots().begin_upper();
  Held held;
  RunRequest request;
  request.lowers = chain.folders();
  request.upper = upper.folders();
  request.argv = command.argv;
  request.env = command.env;
  request.working_dir = command.working_dir;
  request.uid = command.user.uid;
  request.gid = command.user.gid;
  request.groups = command.user.groups;
  for (const ResolvedMount& mount : command.mounts) add_mount(request, command, mount, held);
  if (command.script) request.mounts.push_back({command.script->path, FileSource{command.script->text, 0755, 0, 0}});
  request.network = command.network;
  request.security = command.security;
  request.extra_hosts = settings_.extra_hosts;
  request.limits = settings_.limits;
  request.shm_bytes = settings_.shm_bytes;
  request.trust = settings_.trust;
  request.proxies = merged_environment(command.proxies, settings_.host_proxies);

  OutputTail tail;
  RunResult result;
  {
    const WorkSlots::Slot slot = slots_.acquire(access_.cancel());
    result = runner_.run(access_.store().home(), request, [&](std::string_view bytes) {
      tail.add(bytes);
      observer_.step_output(number, bytes);
    }, access_.cancel());
  }
  for (const std::string& warning : result.warnings) observer_.warn(warning);
  if (result.exit_code != 0) {
    Error error(Category::build, fmt::format("the command '{}' ended with exit code {}{}", join(command.argv, " "), result.exit_code,
                                             result.out_of_memory ? ": the kernel killed it for want of memory" : ""));
    error.set_detail(tail.text());
    throw error;
  }
  const LayerValue layer = layer_of(upper, command, access_.view(below));
  access_.snapshots().adopt(std::move(upper), oci::chain_id(chain.chain_id(), layer.diff_id));
  return {layer};
}

}  // namespace kiln

#include "builder/steps/run_key.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/cache/step_key.hpp"
#include "builder/packages/layer_cut.hpp"
#include "builder/steps/link_resolution.hpp"
#include "registry/oci/image_config.hpp"

namespace kiln {

namespace {

namespace df = dockerfile;

std::string_view word_of(RunNetwork network) {
  switch (network) {
    case RunNetwork::host:
      return "host";
    case RunNetwork::none:
      return "none";
    case RunNetwork::recorded:
      return "recorded";
  }
  return "host";
}

std::string_view word_of(RunSecurity security) {
  switch (security) {
    case RunSecurity::sandbox:
      return "sandbox";
    case RunSecurity::hardened:
      return "hardened";
    case RunSecurity::insecure:
      return "insecure";
  }
  return "sandbox";
}

// A digest of all that a mount shows of a tree, times excepted; its files are told one by one.
std::string tree_digest(const CopySource& source, const std::string& path, std::vector<RawInput>& inputs) {
  const std::string root = source.resolve(path);
  if (!source.lookup(root)) refuse_missing(source, path);
  StepKeyBuilder digest("tree");
  for (const FileEntry& entry : source.walk_with_digests(root, FileUse::mounted)) {
    digest.entry(std::string_view(entry.path).substr(std::min(root.size(), entry.path.size())), entry);
    const auto name = entry.is_directory() ? input_name(InputType::directory, "/" + entry.path)
                                           : input_name(InputType::file, entry.path);
    inputs.push_back(entry_input(name, entry));
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
      if (options.read_only) key.emplace_back("ro");
      break;
    // What these hold may change without the step's result counting as another.
    case df::MountType::secret:
      key.push_back(options.id);
      key.push_back(options.environment.value_or(""));
      break;
    case df::MountType::cache:
    case df::MountType::ssh:
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
    inputs.push_back(
        {input_name(InputType::parent_layer, std::to_string(++number)), layer.value.diff_id.str(), false, where});
  }
  if (!base.empty()) inputs.push_back({input_name(InputType::base_image), oci::chain_id(base).str()});
}

}  // namespace

StepIdentity run_identity(const RunCommand& command, const ImageLayers& below, const RunSettings& settings) {
  if (command.security == RunSecurity::insecure && !settings.allow_insecure) {
    throw Error(Category::usage, "RUN --security=insecure is not allowed; pass --allow security.insecure");
  }
  std::vector<std::string> parents;
  for (const ImageLayer& layer : below) parents.push_back(layer.value.diff_id.str());
  std::vector<std::string> groups;
  for (const std::uint32_t group : command.user.groups) groups.push_back(std::to_string(group));
  std::vector<std::string> env = command.env;
  std::sort(env.begin(), env.end());

  StepIdentity identity;
  std::vector<RawInput>& inputs = identity.inputs;
  StepKeyBuilder key(to_string(StepKind::run));
  key.text("platform", command.platform.str()).list("parents", parents);
  key.number("user.uid", command.user.uid).number("user.gid", command.user.gid).list("user.groups", groups);
  key.text("cwd", command.working_dir).list("env", env).list("argv", command.argv);
  if (command.script) key.text("heredoc", command.script->text);
  inputs.push_back({input_name(InputType::command), join(command.argv, " ")});
  if (command.script) inputs.push_back({input_name(InputType::script), command.script->text});
  add_parent_inputs(below, inputs);
  for (const ResolvedMount& mount : command.mounts) {
    std::vector<RawInput> files;
    const auto item = mount_key(mount, files);
    key.list("mount", item);
    // What the files say is not said again of the mount.
    std::move(files.begin(), files.end(), std::back_inserter(inputs));
    const bool is_tree = mount.options.type == df::MountType::bind;
    inputs.push_back(
        {input_name(InputType::mount, item[0] + " " + item[1]), is_tree ? item[2] : join(item, " "), false});
  }
  key.text("network", word_of(command.network)).text("security", word_of(command.security));
  std::vector<std::string> hosts, limits;
  for (const auto& [name, address] : command.extra_hosts) {
    hosts.push_back(name + ":" + address);
    inputs.push_back({input_name(InputType::host, name), address});
  }
  for (const RunLimit& limit : command.limits) {
    limits.push_back(fmt::format("{}={}:{}", limit.name, limit.soft, limit.hard));
    inputs.push_back({input_name(InputType::ulimit, limit.name), fmt::format("{}:{}", limit.soft, limit.hard)});
  }
  key.list("hosts", hosts).list("ulimits", limits).number("shm", static_cast<std::int64_t>(command.shm_bytes));
  inputs.push_back({input_name(InputType::shm_size), std::to_string(command.shm_bytes)});
  // Cut layers have all times rewritten.
  const auto times = command.cutting ? std::optional(command.cutting->times.all) : command.rewrite_times;
  if (times) {
    key.number("times", *times);
    inputs.push_back({input_name(InputType::times), std::to_string(*times)});
  }
  if (command.cutting) {
    const std::string limit = std::to_string(command.cutting->limit);
    std::vector<std::string> cut = {"package", std::to_string(kCutVersion), limit};
    if (!command.cutting->times.sources) cut.push_back("bytecode as written");
    key.list("layers", cut);
    inputs.push_back({input_name(InputType::layers), fmt::format("by package, at most {}", limit)});
  }
  inputs.push_back({input_name(InputType::working_directory), command.working_dir});
  inputs.push_back(
      {input_name(InputType::user), fmt::format("{}:{} {}", command.user.uid, command.user.gid, join(groups, ","))});
  inputs.push_back({input_name(InputType::platform), command.platform.str()});
  inputs.push_back({input_name(InputType::network), std::string(word_of(command.network))});
  inputs.push_back({input_name(InputType::security), std::string(word_of(command.security))});
  for (const std::string& variable : command.env) {
    const std::string name = variable.substr(0, variable.find('='));
    const InputType type = command.profile_keys.count(name) ? InputType::profile
                           : command.args.count(name)       ? InputType::arg
                                                            : InputType::env;
    inputs.push_back({input_name(type, name), variable.substr(name.size() + 1)});
  }
  identity.key = key.finish();
  return identity;
}

}  // namespace kiln

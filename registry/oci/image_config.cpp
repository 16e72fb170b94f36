#include "registry/oci/image_config.hpp"

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/json_members.hpp"
#include "base/text.hpp"
#include "registry/oci/descriptor.hpp"

namespace kiln::oci {

namespace {

using nlohmann::ordered_json;

std::optional<std::vector<std::string>> optional_strings(const JsonMembers& members, const char* key) {
  return members.has(key) ? std::optional(members.strings(key)) : std::nullopt;
}

Healthcheck read_healthcheck(const JsonMembers& members) {
  Healthcheck check;
  check.test = members.strings_or_none("Test");
  check.interval_ns = members.integer_or("Interval", 0);
  check.timeout_ns = members.integer_or("Timeout", 0);
  check.start_period_ns = members.integer_or("StartPeriod", 0);
  check.start_interval_ns = members.integer_or("StartInterval", 0);
  check.retries = members.integer_or("Retries", 0);
  return check;
}

ordered_json to_json(const Healthcheck& check) {
  ordered_json result = ordered_json::object();
  if (!check.test.empty()) result["Test"] = check.test;
  if (check.interval_ns) result["Interval"] = check.interval_ns;
  if (check.timeout_ns) result["Timeout"] = check.timeout_ns;
  if (check.start_period_ns) result["StartPeriod"] = check.start_period_ns;
  if (check.start_interval_ns) result["StartInterval"] = check.start_interval_ns;
  if (check.retries) result["Retries"] = check.retries;
  return result;
}

ContainerConfig read_container_config(const JsonMembers& members) {
  ContainerConfig config;
  config.user = members.string_or("User");
  config.exposed_ports = members.keys_or_none("ExposedPorts");
  config.env = members.strings_or_none("Env");
  config.entrypoint = optional_strings(members, "Entrypoint");
  config.cmd = optional_strings(members, "Cmd");
  config.volumes = members.keys_or_none("Volumes");
  config.working_dir = members.string_or("WorkingDir");
  config.labels = members.string_map_or_none("Labels");
  config.stop_signal = members.string_or("StopSignal");
  if (members.has("Healthcheck")) config.healthcheck = read_healthcheck(members.object("Healthcheck"));
  config.on_build = members.strings_or_none("OnBuild");
  config.shell = optional_strings(members, "Shell");
  config.args_escaped = members.boolean_or("ArgsEscaped", false);
  return config;
}

ordered_json key_object(const std::set<std::string>& keys) {
  ordered_json result = ordered_json::object();
  for (const std::string& key : keys) result[key] = ordered_json::object();
  return result;
}

ordered_json to_json(const ContainerConfig& config) {
  ordered_json result = ordered_json::object();
  if (!config.user.empty()) result["User"] = config.user;
  if (!config.exposed_ports.empty()) result["ExposedPorts"] = key_object(config.exposed_ports);
  if (!config.env.empty()) result["Env"] = config.env;
  if (config.entrypoint) result["Entrypoint"] = *config.entrypoint;
  if (config.cmd) result["Cmd"] = *config.cmd;
  if (config.healthcheck) result["Healthcheck"] = to_json(*config.healthcheck);
  if (config.args_escaped) result["ArgsEscaped"] = true;
  if (!config.volumes.empty()) result["Volumes"] = key_object(config.volumes);
  if (!config.working_dir.empty()) result["WorkingDir"] = config.working_dir;
  if (!config.on_build.empty()) result["OnBuild"] = config.on_build;
  if (!config.labels.empty()) result["Labels"] = config.labels;
  if (!config.stop_signal.empty()) result["StopSignal"] = config.stop_signal;
  if (config.shell) result["Shell"] = *config.shell;
  return result;
}

ordered_json to_json(const HistoryEntry& entry) {
  ordered_json result = ordered_json::object();
  if (!entry.created.empty()) result["created"] = entry.created;
  if (!entry.author.empty()) result["author"] = entry.author;
  if (!entry.created_by.empty()) result["created_by"] = entry.created_by;
  if (!entry.comment.empty()) result["comment"] = entry.comment;
  if (entry.empty_layer) result["empty_layer"] = true;
  return result;
}

}  // namespace

std::optional<std::string> env_value(const std::vector<std::string>& env, std::string_view name) {
  for (const std::string& item : env) {
    if (item.size() > name.size() && item[name.size()] == '=' && std::string_view(item).starts_with(name)) {
      return item.substr(name.size() + 1);
    }
  }
  return std::nullopt;
}

void set_env(std::vector<std::string>& env, std::string_view name, std::string_view value) {
  std::string entry = std::string(name) + "=" + std::string(value);
  for (std::string& item : env) {
    if (item.size() > name.size() && item[name.size()] == '=' && std::string_view(item).starts_with(name)) {
      item = std::move(entry);
      return;
    }
  }
  env.push_back(std::move(entry));
}

std::string instruction_of(const HistoryEntry& entry) {
  const std::string_view line = entry.created_by;
  const std::string_view keyword = line.starts_with("RUN |") ? "RUN " : "";
  std::string_view rest = line.substr(keyword.size());
  if (!rest.starts_with('|')) return entry.created_by;
  const std::size_t end_of_count = rest.find(' ');
  const auto count = parse_unsigned(rest.substr(1, end_of_count == std::string_view::npos ? 0 : end_of_count - 1));
  if (!count) return entry.created_by;
  // A value may hold blanks, so words are not counted: the shell is the first absolute path behind the last "NAME=".
  for (std::uint64_t i = 0; i < *count && rest.find('=') != std::string_view::npos; ++i)
    rest.remove_prefix(rest.find('=') + 1);
  std::size_t shell = rest.find(" /bin/sh -c ");
  if (shell == std::string_view::npos) shell = rest.find(" /");
  return std::string(keyword) + (shell == std::string_view::npos ? "" : std::string(rest.substr(shell + 1)));
}

nlohmann::json parse_config_document(std::string_view text, std::string_view where) {
  return parse_json(text, where, Category::network, {.max_bytes = std::size_t{16} << 20});
}

ImageConfig parse_image_config(std::string_view text, std::string_view where) {
  const nlohmann::json value = parse_config_document(text, where);
  const auto refuse = JsonMembers::refusal(where, Category::network);
  const JsonMembers members(value, refuse);
  ImageConfig image;
  image.platform = platform_from_json(value, where);
  image.created = members.string_or("created");
  image.author = members.string_or("author");
  if (members.has("config")) image.config = read_container_config(members.object("config"));
  if (!members.has("rootfs")) members.refuse("has no 'rootfs', so it is not an image config");
  for (const std::string& diff_id : members.object("rootfs").strings_or_none("diff_ids")) {
    image.diff_ids.push_back(Digest::parse(diff_id, std::string(where) + ": diff_id", Category::network));
  }
  members.each_or_none("history", [&](const JsonMembers& entry) {
    image.history.push_back({entry.string_or("created"), entry.string_or("created_by"), entry.string_or("author"),
                             entry.string_or("comment"), entry.boolean_or("empty_layer", false)});
  });
  return image;
}

std::string serialise(const ImageConfig& image) {
  ordered_json result;
  result["architecture"] = image.platform.architecture;
  result["config"] = to_json(image.config);
  if (!image.created.empty()) result["created"] = image.created;
  if (!image.author.empty()) result["author"] = image.author;
  result["history"] = ordered_json::array();
  for (const HistoryEntry& entry : image.history) result["history"].push_back(to_json(entry));
  result["os"] = image.platform.os;
  if (!image.platform.os_version.empty()) result["os.version"] = image.platform.os_version;
  result["rootfs"]["type"] = "layers";
  result["rootfs"]["diff_ids"] = ordered_json::array();
  for (const Digest& diff_id : image.diff_ids) result["rootfs"]["diff_ids"].push_back(diff_id.str());
  if (!image.platform.variant.empty()) result["variant"] = image.platform.variant;
  // Values from a Dockerfile may be any bytes; JSON can hold only UTF-8, and docker replaces likewise.
  return json_text(result);
}

Digest chain_id(const Digest& parent_chain, const Digest& diff_id) {
  return parent_chain.empty() ? diff_id : sha256_of(parent_chain.str() + " " + diff_id.str());
}

Digest chain_id(const std::vector<Digest>& diff_ids) {
  Digest chain;
  for (const Digest& diff_id : diff_ids) chain = chain_id(chain, diff_id);
  return chain;
}

}  // namespace kiln::oci

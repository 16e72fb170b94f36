#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "registry/oci/digest.hpp"
#include "registry/oci/platform.hpp"

namespace kiln::oci {

// Times in nanoseconds, as docker writes them; 0 is "docker's default".
struct Healthcheck {
  std::vector<std::string> test;  // {"NONE"}, {"CMD", ...} or {"CMD-SHELL", text}
  std::int64_t interval_ns = 0;
  std::int64_t timeout_ns = 0;
  std::int64_t start_period_ns = 0;
  std::int64_t start_interval_ns = 0;
  std::int64_t retries = 0;

  bool operator==(const Healthcheck&) const = default;
};

// How a container of the image starts (OCI image spec, config.md, "config"; plus docker's Healthcheck, OnBuild, Shell
// and ArgsEscaped). An optional list that is present and empty differs from one that is absent.
struct ContainerConfig {
  std::string user;
  std::set<std::string> exposed_ports;  // "6713/tcp"
  std::vector<std::string> env;         // "K=V", in the order of their first setting
  std::optional<std::vector<std::string>> entrypoint;
  std::optional<std::vector<std::string>> cmd;
  std::set<std::string> volumes;
  std::string working_dir;
  std::map<std::string, std::string> labels;
  std::string stop_signal;
  std::optional<Healthcheck> healthcheck;
  std::vector<std::string> on_build;
  std::optional<std::vector<std::string>> shell;
  bool args_escaped = false;

  bool operator==(const ContainerConfig&) const = default;
};

// The value of `name` in a list of "K=V"; nullopt where it is not set.
std::optional<std::string> env_value(const std::vector<std::string>& env, std::string_view name);
// Sets it in place, or appends it.
void set_env(std::vector<std::string>& env, std::string_view name, std::string_view value);

struct HistoryEntry {
  std::string created;  // RFC 3339; "" is left out
  std::string created_by;
  std::string author;
  std::string comment;
  bool empty_layer = false;

  bool operator==(const HistoryEntry&) const = default;
};

// What made the layer, without the values of build arguments that docker and BuildKit write before the shell of a RUN
// ("RUN |1 TOKEN=abc /bin/sh -c make" is "RUN /bin/sh -c make"): they belong in an image's config and nowhere else.
std::string instruction_of(const HistoryEntry& entry);

// An image's configuration (OCI image spec, config.md). Its digest is docker's image ID.
struct ImageConfig {
  Platform platform;
  std::string created;  // RFC 3339; "" is left out
  std::string author;
  ContainerConfig config;
  std::vector<Digest> diff_ids;
  std::vector<HistoryEntry> history;

  bool operator==(const ImageConfig&) const = default;
};

// The JSON of an image config, of 16 MiB at most: also what kiln does not know of it. Error{network} naming `where`.
nlohmann::json parse_config_document(std::string_view text, std::string_view where);
// Error{network} naming `where` for what is not an image config.
ImageConfig parse_image_config(std::string_view text, std::string_view where);
// Deterministic JSON, keys as BuildKit orders them, no spaces.
std::string serialise(const ImageConfig& config);

// The chain ID of the first diff IDs (OCI image spec, config.md, "Layer ChainID"); empty for none.
Digest chain_id(const std::vector<Digest>& diff_ids);
Digest chain_id(const Digest& parent_chain, const Digest& diff_id);

}  // namespace kiln::oci

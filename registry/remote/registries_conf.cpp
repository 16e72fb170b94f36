#include "registry/remote/registries_conf.hpp"

#include <fmt/format.h>

#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <algorithm>
#include <system_error>

#include "base/process.hpp"
#include "base/text.hpp"
#include "registry/remote/docker_hub.hpp"

namespace kiln {

namespace {

constexpr std::uint64_t kMaxConfBytes = std::uint64_t{4} << 20;

[[noreturn]] void refuse(std::string_view name, const toml::node& node, std::string_view what) {
  throw Error(Category::usage, fmt::format("'{}', line {}: {}", name, node.source().begin.line, what));
}

std::string text_of(const toml::table& table, std::string_view key, std::string_view name) {
  const toml::node* node = table.get(key);
  if (!node) return {};
  const auto value = node->value_exact<std::string>();
  if (!value) refuse(name, *node, fmt::format("'{}' must be a string", key));
  return *value;
}

bool truth_of(const toml::table& table, std::string_view key, std::string_view name) {
  const toml::node* node = table.get(key);
  if (!node) return false;
  const auto value = node->value_exact<bool>();
  if (!value) refuse(name, *node, fmt::format("'{}' must be true or false", key));
  return *value;
}

template <class Take>
void each_table(const toml::table& table, std::string_view key, std::string_view name, Take take) {
  const toml::node* node = table.get(key);
  if (!node) return;
  const toml::array* list = node->as_array();
  if (!list) refuse(name, *node, fmt::format("'{}' must be a list of tables: [[{}]]", key, key));
  for (const toml::node& entry : *list) {
    if (!entry.is_table()) refuse(name, entry, fmt::format("'{}' must be a list of tables: [[{}]]", key, key));
    take(*entry.as_table());
  }
}

// Whether a prefix of registries.conf is one of registry/repository.
bool prefix_matches(const std::string& prefix, const std::string& name) {
  if (prefix.starts_with("*.")) {
    const std::string host = name.substr(0, name.find('/'));
    return host.ends_with(prefix.substr(1)) && host.size() > prefix.size() - 1;
  }
  return name == prefix || name.starts_with(prefix + "/");
}

// "mirror.example:5000/hub" + "library/busybox".
PullPlace place_at(const std::string& name, bool insecure, bool is_mirror, std::string_view for_reference) {
  const std::size_t slash = name.find('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == name.size()) {
    throw Error(Category::usage,
                fmt::format("registries.conf leads '{}' to '{}', which names no repository", for_reference, name));
  }
  PullPlace place;
  place.endpoint.authority = name.substr(0, slash);
  if (place.endpoint.authority == kDockerHub) place.endpoint.authority = kDockerHubHost;
  place.endpoint.security = insecure ? Security::insecure : Security::verified;
  place.repository = name.substr(slash + 1);
  place.is_mirror = is_mirror;
  return place;
}

}  // namespace

namespace {

// Debian's toml++ 3.3.0 runs into undefined behaviour at some letters where a key or a value may stand, also behind a
// quote that opens no string (`1"`). Registries and repositories are spelled in ASCII: other letters are taken in
// comments only, and other control characters than tabs and line ends nowhere. A string of several lines, which could
// hide where a comment begins, is not taken either.
void refuse_odd_letters(std::string_view text, std::string_view name) {
  std::size_t line = 1;
  char quote = '\0';
  bool in_comment = false;
  bool is_escaped = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    const auto byte = static_cast<unsigned char>(c);
    const bool is_control = (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f;
    const bool is_bare = !in_comment && quote == '\0';
    const std::string_view here = text.substr(at, 3);
    if (is_bare && (here == "\"\"\"" || here == "'''")) {
      throw Error(Category::usage,
                  fmt::format("'{}', line {}: a string of several lines has no place here", name, line));
    }
    if (is_control || (byte >= 0x80 && !in_comment)) {
      throw Error(Category::usage, fmt::format("'{}', line {}: the byte {:02x} has no place here", name, line, byte));
    }
    if (c == '\n') {
      ++line;
      in_comment = false;
      quote = '\0';
    } else if (is_bare && c == '#') {
      in_comment = true;
    } else if (is_bare && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == quote && !is_escaped) {
      quote = '\0';
    }
    is_escaped = quote == '"' && c == '\\' && !is_escaped;
  }
}

// Nor does it look at what stands between the brackets of a table's header, unless it is a ']'. A list or text of
// several lines may have a line that begins like a header; those of registries.conf do not.
void refuse_odd_headers(std::string_view text, std::string_view name) {
  std::size_t line = 0;
  for (std::string_view header : split(text, '\n')) {
    ++line;
    header = trim(header);
    if (!header.starts_with('[')) continue;
    header.remove_prefix(header.starts_with("[[") ? 2 : 1);
    header = trim(header);
    const char first = header.empty() ? '\0' : header.front();
    const bool is_key = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') ||
                        (first >= '0' && first <= '9') ||
                        std::string_view("_-\"'").find(first) != std::string_view::npos;
    if (!is_key)
      throw Error(Category::usage, fmt::format("'{}', line {}: expected the name of a table behind '['", name, line));
  }
}

}  // namespace

RegistriesConf RegistriesConf::parse(std::string_view text, std::string_view name) {
  refuse_odd_letters(text, name);
  refuse_odd_headers(text, name);
  toml::table root;
  try {
    root = toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw Error(Category::usage,
                fmt::format("'{}', line {}: {}", name, error.source().begin.line, printable(error.description())));
  }
  if (const toml::node* old = root.get("registries")) {
    refuse(name, *old,
           "this is version 1 of registries.conf; write [[registry]] with 'location', 'insecure' and "
           "'blocked' instead");
  }
  RegistriesConf conf;
  each_table(root, "registry", name, [&](const toml::table& table) {
    Registry registry;
    registry.prefix = text_of(table, "prefix", name);
    registry.location = text_of(table, "location", name);
    if (registry.prefix.empty()) registry.prefix = registry.location;
    if (registry.prefix.empty()) refuse(name, table, "[[registry]] needs 'location' or 'prefix'");
    const bool wildcard = registry.prefix.starts_with("*.");
    if (registry.location.empty() && !wildcard) registry.location = registry.prefix;
    if (wildcard && !registry.location.empty())
      refuse(name, table, "a prefix that begins with '*.' takes no 'location'");
    registry.insecure = truth_of(table, "insecure", name);
    registry.blocked = truth_of(table, "blocked", name);
    const bool by_digest_only = truth_of(table, "mirror-by-digest-only", name);
    each_table(table, "mirror", name, [&](const toml::table& entry) {
      Mirror mirror;
      mirror.location = text_of(entry, "location", name);
      if (mirror.location.empty()) refuse(name, entry, "[[registry.mirror]] needs 'location'");
      mirror.insecure = truth_of(entry, "insecure", name);
      mirror.pull_from = text_of(entry, "pull-from-mirror", name);
      if (mirror.pull_from.empty()) mirror.pull_from = by_digest_only ? "digest-only" : "all";
      if (mirror.pull_from != "all" && mirror.pull_from != "digest-only" && mirror.pull_from != "tag-only") {
        refuse(
            name, entry,
            fmt::format("'pull-from-mirror' is '{}'; known: all, digest-only, tag-only", printable(mirror.pull_from)));
      }
      registry.mirrors.push_back(std::move(mirror));
    });
    conf.registries_.push_back(std::move(registry));
  });
  return conf;
}

void RegistriesConf::merge(const RegistriesConf& later) {
  for (const Registry& registry : later.registries_) {
    std::erase_if(registries_, [&](const Registry& earlier) { return earlier.prefix == registry.prefix; });
    registries_.push_back(registry);
  }
}

RegistriesConf RegistriesConf::from_environment() {
  RegistriesConf conf;
  const auto merge_file = [&](const fs::path& path) {
    const auto text = read_file_if_exists(path, kMaxConfBytes);
    if (text) conf.merge(parse(*text, path.native()));
    return text.has_value();
  };
  if (const auto chosen = environment_variable("CONTAINERS_REGISTRIES_CONF"); chosen && !chosen->empty()) {
    if (!fs::exists(*chosen))
      throw Error(Category::usage, fmt::format("CONTAINERS_REGISTRIES_CONF names '{}', which is not there", *chosen));
    conf.merge(parse(read_named_file(*chosen, kMaxConfBytes), *chosen));
    return conf;
  }
  const fs::path system = "/etc/containers";
  const fs::path own = fs::path(environment_variable("HOME").value_or("/root")) / ".config/containers";
  if (!merge_file(own / "registries.conf")) merge_file(system / "registries.conf");
  for (const fs::path& folder : {system / "registries.conf.d", own / "registries.conf.d"}) {
    std::vector<fs::path> files;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder, none)) {
      if (entry.path().extension() == ".conf") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) merge_file(file);
  }
  return conf;
}

const RegistriesConf::Registry* RegistriesConf::find(const std::string& name) const {
  const Registry* best = nullptr;
  for (const Registry& registry : registries_) {
    if (prefix_matches(registry.prefix, name) && (!best || registry.prefix.size() > best->prefix.size()))
      best = &registry;
  }
  return best;
}

PullPlace RegistriesConf::push_place(const oci::Reference& reference) const {
  const std::string name = reference.name();
  const Registry* registry = find(name);
  if (!registry) return place_at(name, false, false, name);
  if (registry->blocked) {
    throw Error(Category::network,
                fmt::format("'{}' is blocked by registries.conf (prefix '{}')", name, registry->prefix));
  }
  const bool rewritten = !registry->prefix.starts_with("*.");
  return place_at(rewritten ? registry->location + name.substr(registry->prefix.size()) : name, registry->insecure,
                  false, name);
}

std::vector<PullPlace> RegistriesConf::pull_places(const oci::Reference& reference) const {
  const PullPlace own = push_place(reference);
  std::vector<PullPlace> places;
  const std::string name = reference.name();
  if (const Registry* registry = find(name)) {
    for (const Mirror& mirror : registry->mirrors) {
      if (mirror.pull_from == (reference.digest ? "tag-only" : "digest-only")) continue;
      const std::string rest =
          registry->prefix.starts_with("*.") ? name.substr(name.find('/')) : name.substr(registry->prefix.size());
      places.push_back(place_at(mirror.location + rest, mirror.insecure, true, name));
    }
  }
  places.push_back(own);
  return places;
}

bool RegistriesConf::is_insecure_host(std::string_view authority) const {
  return std::any_of(registries_.begin(), registries_.end(), [&](const Registry& registry) {
    if (registry.insecure && registry.location == authority) return true;
    return std::any_of(registry.mirrors.begin(), registry.mirrors.end(),
                       [&](const Mirror& mirror) { return mirror.insecure && mirror.location == authority; });
  });
}

std::vector<fs::path> certificate_folders() {
  std::vector<fs::path> folders;
  if (const auto home = environment_variable("HOME"); home && !home->empty()) {
    folders.push_back(fs::path(*home) / ".config/containers/certs.d");
  }
  folders.push_back("/etc/containers/certs.d");
  if (const auto home = environment_variable("HOME"); home && !home->empty())
    folders.push_back(fs::path(*home) / ".docker/certs.d");
  folders.push_back("/etc/docker/certs.d");
  return folders;
}

HostCertificates find_certificates(const std::vector<fs::path>& folders, const std::string& authority) {
  HostCertificates found;
  if (authority.find('/') != std::string::npos || authority.starts_with('.')) return found;
  for (const fs::path& folder : folders) {
    const fs::path own = folder / authority;
    std::error_code none;
    if (!fs::is_directory(own, none)) continue;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(own)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) {
      if (file.extension() == ".crt") found.authorities.push_back(read_file(file, std::uint64_t{4} << 20));
      if (file.extension() != ".cert" || !found.client_certificate.empty()) continue;
      fs::path key = file;
      key.replace_extension(".key");
      if (!fs::exists(key)) {
        throw Error(Category::machine,
                    fmt::format("certificate '{}' has no key '{}' beside it", file.native(), key.native()));
      }
      found.client_certificate = file.native();
      found.client_key = key.native();
    }
    return found;
  }
  return found;
}

}  // namespace kiln

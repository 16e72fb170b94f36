#include "builder/init/image_naming.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/init/found_build.hpp"
#include "registry/oci/reference.hpp"

namespace kiln::init {

namespace {

constexpr std::size_t kMaxNameLength = 100;

// Folders that are called after what is done in them, not after what is built.
constexpr std::array<std::string_view, 14> kGenericFolders = {
    "docker", ".docker", "build",       "deploy",    "deployment", "ci",      ".ci",
    "src",    "images",  "dockerfiles", "container", "containers", "package", ".github"};

// Endings of Dockerfiles that name a variant of an image and no image of their own.
constexpr std::array<std::string_view, 29> kVariants = {
    "cpu",      "gpu",     "cuda",  "rocm",  "dev",     "develop", "development", "prod",    "production", "test",
    "tests",    "testing", "ci",    "debug", "release", "alpine",  "slim",        "debian",  "ubuntu",     "bookworm",
    "bullseye", "arm",     "arm64", "amd64", "x86_64",  "local",   "legacy",      "staging", "base"};

constexpr std::array<std::string_view, 72> kOfficialImages = {
    "alpine",        "almalinux", "amazoncorretto", "amazonlinux", "archlinux",  "bash",      "buildpack-deps",
    "busybox",       "caddy",     "cassandra",      "centos",      "clojure",    "composer",  "consul",
    "couchdb",       "crystal",   "dart",           "debian",      "docker",     "drupal",    "eclipse-temurin",
    "elasticsearch", "elixir",    "erlang",         "fedora",      "gcc",        "ghost",     "golang",
    "gradle",        "groovy",    "haproxy",        "haskell",     "httpd",      "influxdb",  "jenkins",
    "jetty",         "joomla",    "julia",          "kong",        "logstash",   "mariadb",   "maven",
    "memcached",     "mongo",     "mysql",          "nats",        "neo4j",      "nextcloud", "nginx",
    "node",          "openjdk",   "perl",           "php",         "postgres",   "pypy",      "python",
    "r-base",        "rabbitmq",  "redis",          "registry",    "rockylinux", "ruby",      "rust",
    "scratch",       "solr",      "sonarqube",      "swift",       "telegraf",   "tomcat",    "traefik",
    "ubuntu",        "wordpress"};

template <class List>
bool is_listed(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

std::string last_component(const std::string& repository) { return repository.substr(repository.rfind('/') + 1); }

// "api" of "api.Dockerfile", "gpu" of "Dockerfile.gpu", "" of "Dockerfile".
std::string mark_of(const std::string& file_name) {
  const std::string lower = to_lower(file_name);
  for (const std::string_view word : {"dockerfile", "containerfile"}) {
    const std::size_t at = lower.find(word);
    if (at == std::string::npos) continue;
    const std::string mark = at == 0 ? lower.substr(word.size()) : lower.substr(0, at);
    return normalised_image_name(mark);
  }
  return normalised_image_name(lower);
}

// The folders above a Dockerfile that have a name of their own, the outermost first.
std::vector<std::string> telling_folders(const std::string& dockerfile) {
  std::vector<std::string> folders;
  const auto parts = split(dockerfile, '/');
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    if (is_listed(kGenericFolders, to_lower(parts[i]))) continue;
    if (std::string name = normalised_image_name(parts[i]); !name.empty()) folders.push_back(std::move(name));
  }
  return folders;
}

void add_choice(std::vector<std::string>& choices, std::string name) {
  if (!name.empty() && !is_listed(choices, name)) choices.push_back(std::move(name));
}

}  // namespace

std::optional<KnownTag> parse_known_tag(std::string_view text) {
  std::string reference(trim(text));
  KnownTag known;
  const std::size_t slash = reference.rfind('/');
  const std::size_t colon = reference.find(':', slash == std::string::npos ? 0 : slash);
  known.tag = "latest";
  if (colon != std::string::npos) {
    known.tag = reference.substr(colon + 1);
    reference.resize(colon);
    if (known.tag.find(kUnknown) != std::string::npos) known.tag.clear();
  }
  // "?/acme/base", and "/acme/base" where an empty variable is before it.
  if (const std::size_t unknown = reference.rfind(kUnknown); unknown != std::string::npos) {
    const std::size_t next = reference.find('/', unknown);
    if (next == std::string::npos) return std::nullopt;
    reference.erase(0, next);
  }
  if (reference.starts_with('/')) {
    reference.erase(0, 1);
    known.is_suffix = true;
  }
  const auto parsed = oci::Reference::parse_if_valid(reference);
  if (!parsed || parsed->digest || (!known.tag.empty() && !oci::is_valid_tag(known.tag))) return std::nullopt;
  known.repository = known.is_suffix ? reference : parsed->name();
  return known;
}

TagMatch match_tag(const KnownTag& known, const std::string& text) {
  const auto reference = oci::Reference::parse_if_valid(text);
  if (!reference || reference->digest) return TagMatch::none;
  const std::string name = reference->name();
  const bool is_same = known.is_suffix ? name.ends_with("/" + known.repository) : name == known.repository;
  if (!is_same) return TagMatch::none;
  if (known.tag.empty()) return TagMatch::unknown_tag;
  return known.tag == reference->tag_or_latest() ? TagMatch::exact : TagMatch::other_tag;
}

std::string normalised_image_name(std::string_view text) {
  std::string name, separators;
  for (const char c : to_lower(text)) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      if (!separators.empty() && !name.empty()) name += separators == "_" ? "_" : "-";
      separators.clear();
      name += c;
    } else {
      separators += c;
    }
    if (name.size() >= kMaxNameLength) break;
  }
  return name;
}

std::vector<std::string> name_choices(const NameHints& hints) {
  std::vector<std::string> choices;
  for (const KnownTag& tag : hints.tags) add_choice(choices, normalised_image_name(last_component(tag.repository)));
  for (const KnownTag& tag : hints.tags) {
    if (tag.tag.empty() || tag.tag == "latest") continue;
    add_choice(choices, normalised_image_name(last_component(tag.repository) + "-" + tag.tag));
  }
  if (hints.called != "default") add_choice(choices, normalised_image_name(hints.called));

  const std::string mark = mark_of(hints.dockerfile.substr(hints.dockerfile.rfind('/') + 1));
  const std::vector<std::string> folders = telling_folders(hints.dockerfile);
  const std::string folder = folders.empty() ? normalised_image_name(hints.repository) : folders.back();
  const bool names_an_image = folders.empty() && !mark.empty() && !is_listed(kVariants, mark);
  const std::string stage = hints.stage.empty() ? "" : "-" + normalised_image_name(hints.stage);
  const std::string own = names_an_image ? mark : mark.empty() ? folder : folder.empty() ? mark : folder + "-" + mark;
  add_choice(choices, own);
  if (!stage.empty()) add_choice(choices, own + stage);
  std::string path = own;
  for (std::size_t i = folders.size() < 2 ? 0 : folders.size() - 1; i-- > 0;) {
    path = folders[i] + "-" + path;
    add_choice(choices, path);
  }
  if (folders.empty()) add_choice(choices, folder.empty() || own == folder ? "" : folder + "-" + own);
  if (choices.empty()) choices.emplace_back("image");
  return choices;
}

std::vector<std::string> assign_names(const std::vector<std::vector<std::string>>& choices,
                                      const std::set<std::string>& taken) {
  std::vector<std::string> names(choices.size());
  std::vector<std::size_t> next(choices.size(), 0);
  std::set<std::string> used = taken;
  for (bool has_moved = true; has_moved;) {
    has_moved = false;
    std::map<std::string, std::vector<std::size_t>> wanted;
    for (std::size_t i = 0; i < choices.size(); ++i) {
      if (names[i].empty() && next[i] < choices[i].size()) wanted[choices[i][next[i]]].push_back(i);
    }
    for (const auto& [name, images] : wanted) {
      if (images.size() == 1 && used.insert(name).second) {
        names[images[0]] = name;
        has_moved = true;
        continue;
      }
      // Of several that want a name the one that has no other choice gets it.
      std::vector<std::size_t> last;
      for (const std::size_t i : images) {
        if (next[i] + 1 == choices[i].size()) last.push_back(i);
      }
      if (last.size() == 1 && used.insert(name).second) names[last[0]] = name;
      for (const std::size_t i : images) {
        if (names[i].empty()) ++next[i];
      }
      has_moved = true;
    }
  }
  for (std::size_t i = 0; i < choices.size(); ++i) {
    for (std::size_t number = 1; names[i].empty(); ++number) {
      const std::string name = number == 1 ? choices[i][0] : fmt::format("{}-{}", choices[i][0], number);
      if (used.insert(name).second) names[i] = name;
    }
  }
  return names;
}

bool is_official_image(std::string_view name) { return is_listed(kOfficialImages, name); }

}  // namespace kiln::init

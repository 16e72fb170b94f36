#include "builder/debian/lock.hpp"

#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/json_members.hpp"
#include "base/text.hpp"
#include "builder/debian/rootfs.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

namespace {

using nlohmann::json;

constexpr int kSchemaVersion = 1;

bool only(std::string_view text, std::string_view extra) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || extra.find(c) != std::string_view::npos;
  });
}

constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

bool is_version(std::string_view text) {
  static const std::string extra = std::string(kUpper) + ".+-:~";
  return only(text, extra);
}

bool is_sha256_hex(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// A path below one of the two archives that cannot lead out of it.
bool is_pool_path(std::string_view text) {
  static const std::string extra = std::string(kUpper) + "._+~:/-";
  if (!text.starts_with("debian/") && !text.starts_with("debian-security/")) return false;
  if (!text.ends_with(".deb") || !only(text, extra)) return false;
  const auto segments = split(text, '/');
  return std::none_of(segments.begin(), segments.end(),
                      [](std::string_view segment) { return segment.empty() || segment == "." || segment == ".."; });
}

bool comes_before(const LockedPackage& a, const LockedPackage& b) { return a.name < b.name; }

LockedPackage read_package(const JsonMembers& members) {
  members.exactly({"name", "version", "architecture", "size", "sha256", "path"});
  LockedPackage result;
  const auto text = [&](const char* key, auto is_valid, std::string_view expected) {
    std::string value = members.string(key);
    if (!is_valid(value)) members.refuse(key, fmt::format("'{}' is no {}", printable(value), expected));
    return value;
  };
  result.name = text(
      "name", [](std::string_view value) { return only(value, "+-."); }, "package name");
  result.version = text("version", is_version, "version");
  result.architecture = text(
      "architecture", [](std::string_view value) { return only(value, "-"); }, "architecture");
  result.size_bytes = members.unsigned_integer("size");
  result.sha256 = text("sha256", is_sha256_hex, "sha256 (64 hex digits)");
  result.path = text("path", is_pool_path, "path of a .deb below 'debian/' or 'debian-security/'");
  return result;
}

DebianLock read_debian(const JsonMembers& members) {
  members.exactly({"suite", "variant", "include", "architecture", "components", "epoch", "packages"});
  DebianLock entry;
  entry.spec.suite = members.string("suite");
  entry.spec.variant = members.string("variant");
  entry.spec.include = members.strings("include");
  entry.spec.architecture = members.string("architecture");
  entry.spec.components = members.strings("components");
  const std::uint64_t epoch = members.unsigned_integer("epoch");
  if (epoch > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    members.refuse("epoch", "expected a smaller number");
  entry.epoch = static_cast<std::int64_t>(epoch);
  try {
    entry.spec.normalize();
  } catch (const Error& error) {
    members.refuse(error.message());
  }
  members.each("packages", [&](const JsonMembers& package) { entry.packages.push_back(read_package(package)); });
  std::sort(entry.packages.begin(), entry.packages.end(), comes_before);
  const auto twice =
      std::adjacent_find(entry.packages.begin(), entry.packages.end(),
                         [](const LockedPackage& a, const LockedPackage& b) { return a.name == b.name; });
  if (twice != entry.packages.end()) {
    members.refuse("packages", fmt::format("package '{}' is listed twice", twice->name));
  }
  return entry;
}

std::string json_string(std::string_view text) { return json_text(json(std::string(text))); }

std::string json_list(const std::vector<std::string>& values) {
  std::vector<std::string> items;
  for (const std::string& value : values) items.push_back(json_string(value));
  return "[" + join(items, ", ") + "]";
}

}  // namespace

std::string lock_digest(const DebianLock& lock) {
  oci::Sha256 hash;
  const auto add = [&](std::string_view value) { hash.update(fmt::format("{}:{};", value.size(), value)); };
  add("kiln debian rootfs");
  add(std::to_string(kRootfsFormat));
  add(lock.spec.suite);
  add(lock.spec.architecture);
  add(std::to_string(lock.spec.components.size()));
  for (const std::string& component : lock.spec.components) add(component);
  add(std::to_string(lock.epoch));
  for (const LockedPackage& package : lock.packages) {
    add(package.name);
    add(package.version);
    add(package.architecture);
    add(package.sha256);
  }
  return hash.finish().str();
}

std::vector<std::string> describe_changes(const DebianLock& before, const DebianLock& after) {
  std::map<std::string, std::pair<const LockedPackage*, const LockedPackage*>> by_name;
  for (const LockedPackage& package : before.packages) by_name[package.name].first = &package;
  for (const LockedPackage& package : after.packages) by_name[package.name].second = &package;
  std::vector<std::string> lines;
  for (const auto& [name, pair] : by_name) {
    const auto [old_package, new_package] = pair;
    if (!old_package) {
      lines.push_back(fmt::format("new: {} {}", name, new_package->version));
    } else if (!new_package) {
      lines.push_back(fmt::format("gone: {} {}", name, old_package->version));
    } else if (old_package->version != new_package->version) {
      lines.push_back(fmt::format("{} {} -> {}", name, old_package->version, new_package->version));
    } else if (old_package->sha256 != new_package->sha256) {
      lines.push_back(fmt::format("{} {}: other bytes under the same version", name, old_package->version));
    }
  }
  return lines;
}

Lock Lock::read(const fs::path& path) {
  const auto text = read_file_if_exists(path, std::uint64_t{64} << 20);
  return text ? parse(*text, path.string()) : Lock();
}

Lock Lock::parse(std::string_view text, std::string_view name) {
  const JsonLimits limits{.max_bytes = std::size_t{64} << 20, .max_depth = 16};
  const json root = parse_json(text, name, Category::usage, limits);
  const JsonMembers::Refuse refuse = [&](const std::string& pointer, const std::string& problem) {
    throw Error(Category::usage, fmt::format("{}:{}: {}; run 'kiln lock --update' to write it anew", name,
                                             json_line_of(text, pointer).value_or(1), problem));
  };
  const JsonMembers members(root, refuse);
  if (const json* version = members.find("schema_version"); version != nullptr && *version != kSchemaVersion) {
    throw Error(Category::usage,
                fmt::format("{}:{}: schema_version is {}, this kiln reads {}; use a newer kiln", name,
                            json_line_of(text, "/schema_version").value_or(1), version->dump(), kSchemaVersion));
  }
  members.exactly({"schema_version", "debian", "images"});

  Lock lock;
  members.object("debian").each_member(
      [&](const std::string& image, const JsonMembers& debian) { lock.debian_[image] = read_debian(debian); });
  members.object("images").each_member([&](const std::string& reference, const JsonMembers& platforms) {
    for (const auto& [platform, digest] : platforms.value().items()) {
      if (!digest.is_string() || !oci::Digest::is_valid(digest.get<std::string>())) {
        platforms.refuse(platform, fmt::format("'{}': expected a digest", printable(platform)));
      }
      lock.images_[reference][platform] = digest.get<std::string>();
    }
  });
  return lock;
}

std::string Lock::to_text() const {
  std::string text = fmt::format("{{\n  \"schema_version\": {},\n  \"debian\": {{", kSchemaVersion);
  const char* separator = "\n";
  for (const auto& [image, entry] : debian_) {
    text += fmt::format(
        "{}    {}: {{\n      \"suite\": {},\n      \"variant\": {},\n      \"include\": {},\n"
        "      \"architecture\": {},\n      \"components\": {},\n      \"epoch\": {},\n      \"packages\": [",
        separator, json_string(image), json_string(entry.spec.suite), json_string(entry.spec.variant),
        json_list(entry.spec.include), json_string(entry.spec.architecture), json_list(entry.spec.components),
        entry.epoch);
    const char* comma = "\n";
    for (const LockedPackage& package : entry.packages) {
      text += fmt::format(
          "{}        {{\"name\": {}, \"version\": {}, \"architecture\": {}, \"size\": {}, \"sha256\": {}, "
          "\"path\": {}}}",
          comma, json_string(package.name), json_string(package.version), json_string(package.architecture),
          package.size_bytes, json_string(package.sha256), json_string(package.path));
      comma = ",\n";
    }
    text += entry.packages.empty() ? "]\n    }" : "\n      ]\n    }";
    separator = ",\n";
  }
  text += debian_.empty() ? "},\n  \"images\": {" : "\n  },\n  \"images\": {";
  separator = "\n";
  for (const auto& [reference, platforms] : images_) {
    text += fmt::format("{}    {}: {{", separator, json_string(reference));
    const char* comma = "\n";
    for (const auto& [platform, digest] : platforms) {
      text += fmt::format("{}      {}: {}", comma, json_string(platform), json_string(digest));
      comma = ",\n";
    }
    text += "\n    }";
    separator = ",\n";
  }
  text += images_.empty() ? "}\n}\n" : "\n  }\n}\n";
  return text;
}

void Lock::write(const fs::path& path) const {
  const std::string text = to_text();
  const auto there = read_file_if_exists(path, std::uint64_t{64} << 20);
  if (there && *there == text) return;
  write_file_atomically(path, text);
}

Lock Lock::update(const fs::path& path, const std::function<void(Lock&)>& change) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const Fd guard = open_directory(folder);
  while (::flock(guard.get(), LOCK_EX) != 0) {
    if (errno != EINTR) throw_errno("lock", folder.string());
  }
  Lock lock = read(path);
  change(lock);
  lock.write(path);
  return lock;
}

const DebianLock* Lock::find_debian(std::string_view image) const {
  const auto found = debian_.find(image);
  return found == debian_.end() ? nullptr : &found->second;
}

void Lock::set_debian(std::string_view image, DebianLock entry) {
  entry.spec.normalize();
  entry.spec.mirror.clear();
  entry.spec.security_mirror.clear();
  std::sort(entry.packages.begin(), entry.packages.end(), comes_before);
  const auto found = debian_.find(image);
  if (found != debian_.end() && found->second.spec == entry.spec && found->second.packages == entry.packages) return;
  debian_.insert_or_assign(std::string(image), std::move(entry));
}

std::optional<std::string> Lock::find_image(std::string_view reference, std::string_view platform) const {
  const auto found = images_.find(reference);
  if (found == images_.end()) return std::nullopt;
  const auto digest = found->second.find(platform);
  return digest == found->second.end() ? std::nullopt : std::optional<std::string>(digest->second);
}

void Lock::set_image(std::string_view reference, std::string_view platform, std::string_view digest) {
  images_[std::string(reference)].insert_or_assign(std::string(platform), oci::Digest::parse(digest).str());
}

}  // namespace kiln

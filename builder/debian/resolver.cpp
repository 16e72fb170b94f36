#include "builder/debian/resolver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/credentials.hpp"
#include "base/http_date.hpp"
#include "base/near_hint.hpp"
#include "base/percent.hpp"
#include "base/temp_dir.hpp"
#include "base/text.hpp"
#include "builder/debian/apt_root.hpp"

namespace kiln {

namespace {

// What apt-get is asked to install for a variant; the patterns (apt-patterns(7)) are mmdebstrap's own.
std::vector<std::string> request_of(const DebianSpec& spec) {
  static constexpr std::array<std::string_view, 3> kPriorities = {"required", "important", "standard"};
  const auto& variant = spec.variant;
  const std::size_t priorities = variant == "minbase" ? 1 : variant == "important" ? 2 : variant == "standard" ? 3 : 0;
  std::string wanted = "?essential";
  for (std::size_t i = 0; i < priorities; ++i) wanted += fmt::format(",?priority({})", kPriorities[i]);
  std::vector<std::string> request = {fmt::format("?narrow(?architecture({}),?or({}))", spec.architecture, wanted)};
  if (variant != "essential") request.push_back("apt");
  request.insert(request.end(), spec.include.begin(), spec.include.end());
  return request;
}

// "Unable to locate package NAME" / "Package 'NAME' has no installation candidate" -> NAME
std::optional<std::string> unknown_package(std::string_view messages) {
  for (const std::string_view line : split(messages, '\n')) {
    constexpr std::string_view kLocate = "E: Unable to locate package ";
    if (line.starts_with(kLocate)) return std::string(trim(line.substr(kLocate.size())));
    constexpr std::string_view kPackage = "E: Package '";
    if (line.starts_with(kPackage) && line.find("no installation candidate") != std::string_view::npos) {
      const std::string_view rest = line.substr(kPackage.size());
      return std::string(rest.substr(0, rest.find('\'')));
    }
  }
  return std::nullopt;
}

// One line of --print-uris: 'URI' NAME_VERSION_ARCHITECTURE.deb SIZE SHA256:HEX
LockedPackage read_uri_line(std::string_view line, const DebianArchives& archives) {
  const auto bad = [&](std::string_view what) {
    return Error(Category::machine,
                 fmt::format("cannot read apt's answer '{}': {}", without_url_credentials(printable(line)), what));
  };
  const auto close = line.find('\'', 1);
  if (close == std::string_view::npos) throw bad("no closing quote");
  const std::string uri = without_url_credentials(line.substr(1, close - 1));
  const auto fields = split(trim(line.substr(close + 1)), ' ');
  if (fields.size() != 3 || !fields[0].ends_with(".deb")) throw bad("expected file name, size and sha256");

  LockedPackage package;
  const auto names = split(fields[0].substr(0, fields[0].size() - 4), '_');
  if (names.size() != 3) throw bad("expected NAME_VERSION_ARCHITECTURE.deb");
  package.name = percent_decoded(names[0]);
  package.version = percent_decoded(names[1]);
  package.architecture = percent_decoded(names[2]);
  const auto size = parse_unsigned(fields[1]);
  if (!size) throw bad("expected a size");
  package.size_bytes = *size;
  constexpr std::string_view kHash = "SHA256:";
  if (!fields[2].starts_with(kHash) || fields[2].size() != kHash.size() + 64) throw bad("expected a sha256");
  package.sha256 = to_lower(fields[2].substr(kHash.size()));

  // The longer URI first: one may be the beginning of the other.
  std::array<std::pair<std::string, std::string_view>, 2> roots = {
      {{without_url_credentials(archives.debian), "debian"},
       {without_url_credentials(archives.security), "debian-security"}}};
  std::sort(roots.begin(), roots.end(), [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  // apt writes file:/path where file:///path was said.
  const auto plain = [](const std::string& text) {
    return text.starts_with("file:///") ? "file:" + text.substr(7) : text;
  };
  for (const auto& [root, name] : roots) {
    const std::string prefix = plain(root) + "/";
    if (plain(uri).starts_with(prefix)) {
      package.path = fmt::format("{}/{}", name, percent_decoded(plain(uri).substr(prefix.size())));
      return package;
    }
  }
  throw bad("the URI belongs to none of the archives");
}

std::vector<LockedPackage> solve(const AptRoot& apt, const DebianSpec& spec, const DebianArchives& archives,
                                 std::vector<std::string> request, const CancelToken& cancel) {
  std::vector<std::string> argv = {"apt-get", "--quiet", "--print-uris", "install"};
  argv.insert(argv.end(), request.begin(), request.end());
  const CommandResult result = apt.run(std::move(argv), cancel);
  if (result.exit_code != 0) {
    if (const auto name = unknown_package(result.stderr_bytes)) {
      const CommandResult known = apt.run({"apt-cache", "pkgnames"}, cancel);
      std::vector<std::string> names;
      for (const std::string_view line : split(known.stdout_bytes, '\n')) {
        if (!line.empty()) names.emplace_back(line);
      }
      throw Error(Category::usage, fmt::format("suite '{}' has no package '{}' for {}{}", spec.suite, printable(*name),
                                               spec.architecture, near_hint(*name, names)));
    }
    throw Error(Category::usage,
                fmt::format("the packages of suite '{}' that were asked for cannot be installed together", spec.suite))
        .set_detail(apt_messages(result.stdout_bytes) + "\n" + apt_messages(result.stderr_bytes));
  }
  std::vector<LockedPackage> packages;
  for (const std::string_view line : split(result.stdout_bytes, '\n')) {
    if (line.starts_with("'")) packages.push_back(read_uri_line(line, archives));
  }
  std::sort(packages.begin(), packages.end(),
            [](const LockedPackage& a, const LockedPackage& b) { return a.name < b.name; });
  return packages;
}

bool has(const std::vector<LockedPackage>& packages, std::string_view name) {
  return std::any_of(packages.begin(), packages.end(), [&](const LockedPackage& p) { return p.name == name; });
}

// "Sat, 10 Jan 2026 11:02:12 UTC": an HTTP date but for the word at its end.
std::optional<UnixSeconds> read_release_date(std::string_view text) {
  std::string date(trim(text));
  if (date.ends_with(" UTC")) date.replace(date.size() - 3, 3, "GMT");
  return parse_http_date(date);
}

UnixSeconds newest_release_date(const fs::path& lists) {
  UnixSeconds newest = 0;
  for (const auto& entry : fs::directory_iterator(lists)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with("_InRelease") && !name.ends_with("_Release")) continue;
    const std::string text = read_file(entry.path());
    for (const std::string_view line : split(text, '\n')) {
      if (!line.starts_with("Date:")) continue;
      if (const auto date = read_release_date(line.substr(5))) newest = std::max(newest, *date);
      break;
    }
  }
  if (newest == 0) throw Error(Category::network, "no Release file of the Debian archives says its date");
  return newest;
}

}  // namespace

DebianLock resolve(DebianSpec spec, const DebianArchives& archives, const fs::path& work_dir, Log& log,
                   const CancelToken& cancel) {
  spec.normalize();
  const TempDir scratch(work_dir, "apt-");
  const AptRoot apt(scratch.path(), spec, archives, cancel);
  log.debug(fmt::format("resolving {} packages of Debian {} from '{}' and '{}'", spec.architecture, spec.suite,
                        without_url_credentials(archives.debian), without_url_credentials(archives.security)));

  const CommandResult update = apt.run({"apt-get", "--quiet", "update"}, cancel);
  if (update.exit_code != 0) {
    throw Error(
        Category::network,
        fmt::format("cannot read Debian's index of suite '{}' from '{}' and '{}'; is the suite's name right, and "
                    "does 'apt-get update' work on this machine?",
                    spec.suite, without_url_credentials(archives.debian), without_url_credentials(archives.security)))
        .set_detail(apt_messages(update.stderr_bytes));
  }

  std::vector<std::string> request = request_of(spec);
  DebianLock lock;
  lock.packages = solve(apt, spec, archives, request, cancel);
  // bookworm's init-system-helpers needs "usrmerge | usr-is-merged". The first is a program that converts an
  // old system and drags perl in; build_rootfs lays /usr out merged from the start, as debootstrap does.
  if (has(lock.packages, "usrmerge") &&
      std::find(spec.include.begin(), spec.include.end(), "usrmerge") == spec.include.end()) {
    request.push_back("usr-is-merged");
    lock.packages = solve(apt, spec, archives, request, cancel);
  }
  if (lock.packages.empty()) {
    throw Error(Category::usage, fmt::format("suite '{}' has no packages for '{}'", spec.suite, spec.architecture));
  }
  lock.epoch = newest_release_date(apt.lists());
  lock.spec = std::move(spec);
  lock.spec.mirror.clear();
  lock.spec.security_mirror.clear();
  return lock;
}

}  // namespace kiln

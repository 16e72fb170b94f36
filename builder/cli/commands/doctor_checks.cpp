#include "builder/cli/commands/doctor_checks.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cmath>

#include "base/clock.hpp"
#include "base/http_date.hpp"
#include "base/process.hpp"
#include "base/temp_dir.hpp"
#include "base/text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/words/registry_name.hpp"
#include "builder/definitions/json_source.hpp"
#include "builder/definitions/load_fleet.hpp"
#include "builder/run/trust.hpp"

namespace kiln::cli {

namespace {

constexpr std::uint64_t kGigabyte = 1'000'000'000;
constexpr std::uint64_t kTightBytes = 10 * kGigabyte;  // a GPU family's layers and snapshots
constexpr std::uint64_t kTooFewBytes = kGigabyte;
constexpr std::uint64_t kTightFiles = 200'000;
constexpr double kTolerableSkewSeconds = 60;  // tokens are dated

MachineCheck check_push(RemoteSession& session, const oci::Reference& reference) {
  const std::string where = reference.name();
  try {
    session.client_for(reference).check_push_access(session.repository_of(reference).repository);
    return {"registry", CheckState::ok, fmt::format("'{}' would take a push", where), ""};
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
    return {"registry", CheckState::fail, error.message(),
            fmt::format("run 'kiln login {}', or check the registry's name and the network", reference.registry)};
  }
}

MachineCheck check_clock(RemoteSession& session, const std::string& registry) {
  const std::string scheme = oci::is_loopback_registry(registry) ? "http" : "https";
  HttpRequest request;
  request.url = Url::parse(fmt::format("{}://{}/v2/", scheme, registry));
  if (scheme == "http") request.most_private = AddressClass::loopback;
  try {
    const HttpResponse response = session.http().send(request, session.cancel());
    const auto date = parse_http_date(response.headers.find("Date").value_or(""));
    if (!date)
      return {"clock", CheckState::warn, fmt::format("'{}' does not say what time it has", registry),
              "compare 'date -u' with another clock"};
    const double skew = std::abs(static_cast<double>(now_unix_seconds() - *date));
    if (skew <= kTolerableSkewSeconds)
      return {"clock", CheckState::ok, fmt::format("agrees with '{}' to {}", registry, human_seconds(skew)), ""};
    return {"clock", CheckState::fail, fmt::format("differs from that of '{}' by {}", registry, human_seconds(skew)),
            "set the clock ('timedatectl set-ntp true'); tokens and certificates are refused otherwise"};
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
    return {"clock", CheckState::warn, fmt::format("not compared: {}", error.message()),
            "compare 'date -u' with another clock"};
  }
}

}  // namespace

MachineCheck check_disk(const HomeLayout& home) {
  const std::string root = home.root().native();
  try {
    const TempDir probe(home.tmp(), "doctor-");
  } catch (const Error& error) {
    return {"disk", CheckState::fail, error.message(), "let KILN_HOME name a folder that can be written"};
  }
  struct statvfs info {};
  if (::statvfs(root.c_str(), &info) != 0) {
    return {"disk", CheckState::fail, fmt::format("cannot ask for the free space of '{}': {}", root, errno_text(errno)),
            "let KILN_HOME name another folder"};
  }
  const std::uint64_t free_bytes = std::uint64_t{info.f_bavail} * info.f_frsize;
  const bool counts_files = info.f_files > 0;  // btrfs has no such limit
  MachineCheck check{"disk", CheckState::ok, fmt::format("{} free for '{}'", human_bytes(free_bytes), root), ""};
  if (counts_files) check.finding += fmt::format(", {} files", info.f_favail);
  if (free_bytes < kTooFewBytes)
    check.state = CheckState::fail;
  else if (free_bytes < kTightBytes || (counts_files && info.f_favail < kTightFiles))
    check.state = CheckState::warn;
  if (check.state != CheckState::ok)
    check.help = "free some space ('kiln cache prune'), or let KILN_HOME name a folder on a larger disk";
  return check;
}

MachineCheck check_home(const HomeLayout& home) {
  const std::string root = home.root().native();
  for (fs::path folder = home.root(); !folder.empty(); folder = folder.parent_path()) {
    struct stat info {};
    if (::stat(folder.c_str(), &info) != 0 || (info.st_mode & S_IXOTH) == 0)
      return {"home", CheckState::ok, fmt::format("'{}' cannot be entered by other users", root), ""};
    if (folder == folder.root_path()) break;
  }
  return {
      "home", CheckState::warn,
      fmt::format("'{}' can be entered by every user of this machine, who can read its images and hold its locks, so "
                  "that builds wait",
                  root),
      "let its owner alone enter it (chmod 700)"};
}

DefinitionsCheck check_definitions(const std::optional<std::string>& file) {
  DefinitionsCheck result;
  if (!file && !fs::exists("images/fleet.json") && !fs::exists("docker-bake.json")) {
    result.check = {"definitions", CheckState::ok, "none in this folder; -f names others", ""};
    return result;
  }
  try {
    LoadFleetOptions options;
    options.working_directory = fs::current_path();
    if (file) options.file = *file;
    options.environment = environment_variable;
    const Fleet fleet = load_fleet(options);
    result.registry_and_namespace = fleet.settings.registry_and_namespace();
    result.ca_bundle = fleet.settings.ca_bundle;
    result.check = {"definitions", CheckState::ok,
                    fmt::format("'{}' has {} targets", fleet.file.native(), fleet.targets.size()), ""};
    if (!fleet.warnings.empty()) {
      result.check.state = CheckState::warn;
      result.check.finding += fmt::format("; {}", join(fleet.warnings, "; "));
      result.check.help = "'kiln bake --print' shows what was understood";
    }
  } catch (const Error& error) {
    result.check = {"definitions", CheckState::fail, join(problems_of(error), "; "), "mend each file at its line"};
  }
  return result;
}

MachineCheck check_authorities(const std::string& ca_bundle) {
  try {
    const BuildTrust trust = find_build_trust(ca_bundle);
    if (!trust.in_use())
      return {"authorities", CheckState::ok, "RUN trusts what the image trusts; this machine adds none", ""};
    return {"authorities", CheckState::ok, fmt::format("RUN trusts '{}': {}", trust.bundle.native(), trust.reason), ""};
  } catch (const Error& error) {
    return {"authorities", CheckState::fail, error.message(),
            "mend build.ca_bundle of fleet.json, or run 'update-ca-certificates'"};
  }
}

std::vector<MachineCheck> check_registry(const std::string& registry_and_namespace, const CancelToken& cancel) {
  if (registry_and_namespace.empty()) {
    return {
        {"registry", CheckState::ok, "none was named; --registry HOST[:PORT]/NAMESPACE asks one", ""},
        {"clock", CheckState::ok, fmt::format("{}, compared with no other", format_rfc3339(now_unix_seconds())), ""}};
  }
  try {
    const oci::Reference reference = oci::Reference::parse(registry_and_namespace + "/kiln-doctor");
    parse_registry_name(reference.registry);
    StderrLog log;
    RemoteSettings settings = RemoteSettings::from_environment();
    const auto session = RemoteSession::open(std::move(settings), log, cancel);
    return {check_push(*session, reference), check_clock(*session, reference.registry)};
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
    return {{"registry", CheckState::fail, error.message(), "name it as HOST[:PORT]/NAMESPACE"}};
  }
}

}  // namespace kiln::cli

#include "builder/debian/apt_root.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/credentials.hpp"
#include "base/text.hpp"
#include "base/timed_command.hpp"

extern char** environ;

namespace kiln {

namespace {

// Beside apt-get, in no folder of PATH.
constexpr std::string_view kAptHelper = "/usr/lib/apt/apt-helper";

void require(std::string_view program) {
  if (!find_program(program)) {
    throw Error(Category::machine,
                fmt::format("'{}' is missing, and Debian packages are resolved by apt; run 'apt-get install apt' (on a "
                            "machine that is no Debian or Ubuntu, lock and build the base image on one that is)",
                            program));
  }
}

std::vector<std::string> inherited_environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable; ++variable) {
    const std::string_view text = *variable;
    if (text.starts_with("LC_") || text.starts_with("LANG") || text.starts_with("APT_CONFIG=")) continue;
    variables.emplace_back(text);
  }
  variables.emplace_back("LC_ALL=C");
  return variables;
}

// Lines of `apt-config dump`, which are themselves configuration.
std::string settings_of_host(const CancelToken& cancel) {
  require("apt-config");
  const CommandResult result = run_command({.argv = {"apt-config", "dump"},
                                            .environment = inherited_environment(),
                                            .working_directory = {},
                                            .stdin_bytes = {}},
                                           cancel);
  if (result.exit_code != 0) {
    throw Error(Category::machine, "cannot read this machine's apt configuration; run 'apt-config dump'")
        .set_detail(apt_messages(result.stderr_bytes));
  }
  static constexpr std::array<std::string_view, 5> kWanted = {
      "Acquire::http::", "Acquire::https::", "Acquire::Retries ", "Acquire::ForceIPv4 ", "Acquire::ForceIPv6 "};
  std::string kept;
  for (const std::string_view line : split(result.stdout_bytes, '\n')) {
    if (std::any_of(kWanted.begin(), kWanted.end(), [&](std::string_view key) { return line.starts_with(key); })) {
      kept += line;
      kept += '\n';
    }
  }
  return kept;
}

void write_text(const fs::path& path, std::string_view text, unsigned mode) {
  const Fd file = create_file(path, mode);
  write_all(file, text, path.string());
}

std::string stanza(std::string_view uri, const std::vector<std::string>& suites, const DebianSpec& spec,
                   const DebianArchives& archives) {
  return fmt::format("Types: deb\nURIs: {}\nSuites: {}\nComponents: {}\nArchitectures: {}\nSigned-By: {}\n\n", uri,
                     join(suites, " "), join(spec.components, " "), spec.architecture, archives.keyring.string());
}

}  // namespace

AptRoot::AptRoot(const fs::path& folder, const DebianSpec& spec, const DebianArchives& archives,
                 const CancelToken& cancel)
    : folder_(folder), environment_(inherited_environment()) {
  for (const char* program : {"apt-get", "apt-cache"}) require(program);
  const std::string root = fs::absolute(folder_).string();
  if (root.find_first_of("\"\n;") != std::string::npos) {
    throw Error(Category::machine, fmt::format("folder '{}' has a name that apt's configuration cannot hold; choose "
                                               "another KILN_HOME",
                                               printable(root)));
  }
  for (const char* part : {"state/lists/partial", "cache/archives/partial", "log", "sources.d"}) {
    make_directories(folder_ / part);
  }
  write_text(folder_ / "status", "", 0644);

  const bool is_rolling = spec.suite == "sid" || spec.suite == "unstable" || spec.suite == "experimental";
  std::vector<std::string> suites = {spec.suite};
  if (!is_rolling) suites.push_back(spec.suite + "-updates");
  std::string sources = stanza(archives.debian, suites, spec, archives);
  if (!is_rolling) sources += stanza(archives.security, {spec.suite + "-security"}, spec, archives);
  write_text(folder_ / "sources.d" / "debian.sources", sources, 0644);

  // Read by apt before Dir::Etc::Parts and Dir::Etc::Main, which it therefore can turn off. A proxy's
  // password may stand in it: readable by its owner alone.
  std::string config = settings_of_host(cancel);
  const auto set = [&](std::string_view key, std::string_view value) {
    config += fmt::format("{} \"{}\";\n", key, value);
  };
  set("Dir::Etc::Main", "/dev/null");
  set("Dir::Etc::Parts", "/dev/null");
  set("Dir::Etc::SourceList", "/dev/null");
  set("Dir::Etc::SourceParts", root + "/sources.d");
  set("Dir::Etc::Preferences", "/dev/null");
  set("Dir::Etc::PreferencesParts", "/dev/null");
  set("Dir::State", root + "/state");
  set("Dir::State::status", root + "/status");
  set("Dir::Cache", root + "/cache");
  set("Dir::Log", root + "/log");
  set("APT::Architecture", spec.architecture);
  set("APT::Architectures", spec.architecture);
  set("APT::Install-Recommends", "false");
  set("APT::Install-Suggests", "false");
  // apt counts itself as essential wherever this is not set.
  set("pkgCacheGen::ForceEssential", ",");
  set("APT::Update::Error-Mode", "any");
  set("APT::Get::Assume-Yes", "true");
  set("Acquire::Languages", "none");
  set("Acquire::ForceHash", "SHA256");
  set("Acquire::AllowInsecureRepositories", "false");
  const fs::path file = folder_ / "apt.conf";
  write_text(file, config, 0600);
  environment_.push_back("APT_CONFIG=" + fs::absolute(file).string());
}

CommandResult AptRoot::run(std::vector<std::string> argv, const CancelToken& cancel, double most_seconds) const {
  const std::string name = argv.at(0);
  if (name == "apt-helper") argv[0] = kAptHelper;
  require(argv[0]);
  auto result = run_command_within(
      most_seconds, {.argv = std::move(argv), .environment = environment_, .working_directory = {}, .stdin_bytes = {}},
      cancel);
  if (result) return std::move(*result);
  throw Error(Category::network, fmt::format("'{}' had not ended after {}; is a mirror of Debian slow or silent?", name,
                                             human_seconds(most_seconds)));
}

fs::path apt_archives_of_host(const CancelToken& cancel) {
  require("apt-config");
  const CommandResult result = run_command({.argv = {"apt-config", "shell", "FOLDER", "Dir::Cache::archives/d"},
                                            .environment = inherited_environment(),
                                            .working_directory = {},
                                            .stdin_bytes = {}},
                                           cancel);
  const std::string_view line = trim(result.stdout_bytes);
  constexpr std::string_view kPrefix = "FOLDER='";
  if (!line.starts_with(kPrefix) || !line.ends_with("'")) return "/var/cache/apt/archives";
  return fs::path(line.substr(kPrefix.size(), line.size() - kPrefix.size() - 1));
}

std::string apt_messages(std::string_view stderr_bytes) {
  std::vector<std::string> lines;
  for (const std::string_view line : split(stderr_bytes, '\n')) {
    if (trim(line).empty() || line.find("Download is performed unsandboxed") != std::string_view::npos) continue;
    lines.push_back(without_url_credentials(printable(line)));
  }
  return join(lines, "\n");
}

std::string percent_encode(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          std::string_view("-._/").find(c) != std::string_view::npos;
    if (is_plain) {
      result += c;
    } else {
      result += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    }
  }
  return result;
}

}  // namespace kiln

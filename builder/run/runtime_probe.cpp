#include "builder/run/runtime_probe.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/process.hpp"
#include "base/temp_dir.hpp"
#include "base/text.hpp"
#include "builder/run/boot_id.hpp"
#include "builder/run/cgroups.hpp"
#include "builder/run/container_plan.hpp"
#include "builder/run/runtime_spec.hpp"
#include "builder/run/worker_client.hpp"

namespace kiln {

namespace {

constexpr std::string_view kHeader = "kiln runtime 1";

struct ProgramStamp {
  std::uint64_t size = 0;
  std::uint64_t mtime = 0;
};

std::optional<ProgramStamp> stamp_of(const fs::path& program) {
  struct stat status {};
  if (::stat(program.c_str(), &status) != 0 || ::access(program.c_str(), X_OK) != 0) return std::nullopt;
  return ProgramStamp{static_cast<std::uint64_t>(status.st_size), static_cast<std::uint64_t>(status.st_mtime)};
}

// What a message says to do behind its last ';', taken off it; "" where it says nothing but to ask 'kiln doctor'.
std::string cut_advice(std::string& message) {
  constexpr std::string_view kBegin = "; ";
  const std::size_t at = message.rfind(kBegin);
  if (at == std::string::npos) return "";
  std::string advice = message.substr(at + kBegin.size());
  message.resize(at);
  return advice == "run 'kiln doctor'" ? "" : advice;
}

fs::path answer_file(const HomeLayout& home) { return home.runtime() / "probe"; }

}  // namespace

std::string serialise_probe(const Runtime& runtime, std::string_view boot_id) {
  const ProgramStamp stamp = stamp_of(runtime.program).value_or(ProgramStamp{});
  return fmt::format("{}\nboot {}\nuid {}\nprogram {}\nsize {}\nmtime {}\ncgroups {}\n", kHeader, boot_id, ::geteuid(),
                     runtime.program.native(), stamp.size, stamp.mtime, runtime.own_cgroups ? "own" : "none");
}

std::optional<Runtime> parse_probe(std::string_view text, std::string_view boot_id) {
  Runtime runtime;
  for (const std::string_view line : split(text, '\n')) {
    if (line.starts_with("program ")) runtime.program = line.substr(8);
    if (line == "cgroups none") runtime.own_cgroups = false;
  }
  // Whatever has changed since shows as another text.
  if (runtime.program.empty() || !stamp_of(runtime.program) || serialise_probe(runtime, boot_id) != text)
    return std::nullopt;
  return runtime;
}

MachineCheck RuntimeProbe::check_privileges() const {
  MachineCheck check{"user namespace", CheckState::ok, "", ""};
  switch (current_privileges()) {
    case Privileges::root:
      check.finding = "not needed: kiln runs as root";
      break;
    case Privileges::user_namespace_root:
      check.finding = "kiln is root of a user namespace";
      break;
    case Privileges::none: {
      const std::string& problem = runner_.user_namespace_problem();
      const std::size_t semicolon = problem.rfind("; ");
      check.state = CheckState::fail;
      check.finding = problem.empty() ? "kiln is neither root nor in a user namespace" : problem.substr(0, semicolon);
      check.help =
          problem.empty() || semicolon == std::string::npos ? "run kiln as root" : problem.substr(semicolon + 2);
      break;
    }
  }
  return check;
}

MachineCheck RuntimeProbe::check_overlay() {
  MachineCheck check{"overlay", CheckState::ok, "an overlay was mounted", ""};
  try {
    worker_mount_point(home_);
    const TempDir folder(home_.runtime(), "probe-");
    for (const char* name : {"lower", "fs", "work"}) make_directories(folder.path() / name);
    ContainerPlan plan;
    plan.id = new_container_id();
    plan.mount_point = worker_mount_point(home_);
    plan.snapshots = home_.snapshots();
    plan.user_xattrs = current_privileges() != Privileges::root;
    plan.own_cgroups = false;
    plan.lowers = {folder.path() / "lower"};
    plan.upper = {folder.path() / "fs", folder.path() / "work", folder.path() / "scratch"};
    WorkerClient(runner_, plan).wait({}, CancelToken());
  } catch (const Error& error) {
    check.state = CheckState::fail;
    check.finding = error.message();
    if (std::string help = cut_advice(check.finding); !help.empty()) {
      check.help = std::move(help);
      return check;
    }
    check.help = fmt::format(
        "let KILN_HOME (now '{}') be a folder on ext4, xfs, btrfs or tmpfs, such as a volume: overlayfs "
        "cannot write on another overlay",
        home_.root().native());
  }
  return check;
}

MachineCheck RuntimeProbe::check_cgroups() const {
  MachineCheck check{"cgroups", CheckState::ok, cgroup_version(), ""};
  if (!can_make_cgroups()) check.finding += ", not writable: containers run without a cgroup of their own";
  return check;
}

std::string RuntimeProbe::try_runtime(const Runtime& runtime, double& seconds) {
  RunRequest request;
  request.argv = {find_program("true").value_or("/bin/true").native()};
  std::vector<std::string> warnings;
  try {
    ContainerPlan plan = plan_container(home_, runtime, request, warnings);
    plan.host_root = true;
    plan.mounts.clear();
    SpecInput spec;
    spec.process.argv = request.argv;
    spec.process.available_capabilities = own_capabilities();
    spec.rootfs = WorkerFolders(plan.mount_point).rootfs();
    spec.hostname = "kiln";
    if (runtime.own_cgroups) spec.cgroups_path = "/kiln/" + plan.id;
    spec.in_user_namespace = current_privileges() != Privileges::root;
    spec.has_tty_group = knows_tty_group();
    spec.has_cgroup_namespaces = has_cgroup_namespaces();
    plan.spec = runtime_spec(spec);
    const RunResult result = WorkerClient(runner_, plan).wait({}, CancelToken());
    seconds = result.seconds;
    return result.exit_code == 0 ? "" : fmt::format("a container of 'true' ended with exit code {}", result.exit_code);
  } catch (const Error& error) {
    const std::string& message = error.message();
    constexpr std::string_view kAdvice = "; run 'kiln doctor'";
    return message.ends_with(kAdvice) ? message.substr(0, message.size() - kAdvice.size()) : message;
  }
}

MachineCheck RuntimeProbe::check_runtime(std::optional<Runtime>& found) {
  MachineCheck check{"runtime", CheckState::fail, "", ""};
  std::vector<std::string> failures;
  for (const char* name : {"runc", "crun"}) {
    const auto program = find_program(name);
    if (!program) continue;
    const Runtime runtime{*program, can_make_cgroups()};
    double seconds = 0;
    std::string failure = try_runtime(runtime, seconds);
    if (!failure.empty()) {
      if (std::string advice = cut_advice(failure); !advice.empty()) check.help = std::move(advice);
      failures.push_back(fmt::format("{}: {}", name, failure));
      continue;
    }
    found = runtime;
    check.state = CheckState::ok;
    check.finding = fmt::format("'{}' started a container in {:.0f} ms", program->native(), seconds * 1000);
    return check;
  }
  check.finding = failures.empty() ? "neither runc nor crun is installed" : join(failures, "; ");
  if (check.help.empty())
    check.help = failures.empty() ? "run 'sudo apt-get install runc'" : "run 'sudo apt-get install runc' or update it";
  return check;
}

Runtime RuntimeProbe::find() {
  const auto demand = [](const MachineCheck& check) {
    if (check.state != CheckState::fail) return;
    throw Error(Category::machine,
                fmt::format("RUN is not possible on this machine ({}): {}; {}", check.name, check.finding, check.help));
  };
  demand(check_privileges());
  const std::string boot = boot_id();
  if (const auto text = read_note(answer_file(home_), 1 << 16)) {
    if (auto remembered = parse_probe(*text, boot)) return *remembered;
  }
  demand(check_overlay());
  std::optional<Runtime> found;
  demand(check_runtime(found));
  write_file_atomically(answer_file(home_), serialise_probe(*found, boot), Durability::ephemeral);
  return *found;
}

std::vector<MachineCheck> RuntimeProbe::check() {
  std::vector<MachineCheck> checks = {check_privileges()};
  if (checks.front().state == CheckState::fail) return checks;
  std::optional<Runtime> found;
  checks.push_back(check_overlay());
  checks.push_back(check_cgroups());
  checks.push_back(check_runtime(found));
  return checks;
}

}  // namespace kiln

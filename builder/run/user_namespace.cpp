#include "builder/run/user_namespace.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/core_files.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/process.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::uint64_t kNeededIds = 65535;  // so that the user 65534 is among them

// A process that holds a new user namespace until it is mapped and entered.
class NamespaceHolder {
 public:
  NamespaceHolder() {
    int up[2];
    int down[2];
    if (::pipe2(up, O_CLOEXEC) != 0 || ::pipe2(down, O_CLOEXEC) != 0) throw_errno("create", "pipe");
    const Fd ready_read(up[0]);
    Fd ready_write(up[1]);
    Fd release_read(down[0]);
    release_ = Fd(down[1]);
    pid_ = ::fork();
    if (pid_ < 0) throw_errno("fork for", "a user namespace");
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      release_.reset();
      const int error = ::unshare(CLONE_NEWUSER) == 0 ? 0 : errno;
      // Gaining capabilities has closed /proc/PID to others, who are to open its namespace.
      ::prctl(PR_SET_DUMPABLE, 1);
      char byte = 0;
      if (::write(ready_write.get(), &error, sizeof error) == sizeof error) {
        while (::read(release_read.get(), &byte, 1) < 0 && errno == EINTR) {
        }
      }
      ::_exit(0);
    }
    ready_write.reset();
    if (::read(ready_read.get(), &error_, sizeof error_) != sizeof error_) error_ = EIO;
  }
  NamespaceHolder(const NamespaceHolder&) = delete;
  NamespaceHolder& operator=(const NamespaceHolder&) = delete;
  ~NamespaceHolder() {
    release_.reset();
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  pid_t pid() const { return pid_; }
  int error() const { return error_; }

 private:
  Fd release_;
  pid_t pid_ = -1;
  int error_ = 0;
};

// Whether a seccomp filter stands before this process's system calls, as in most containers.
bool is_filtered() { return ::prctl(PR_GET_SECCOMP) == 2; }

std::string map_ids(const char* program, pid_t pid, std::uint64_t own_id, const IdRange& range) {
  Command command;
  command.argv = {program,
                  std::to_string(pid),
                  "0",
                  std::to_string(own_id),
                  "1",
                  "1",
                  std::to_string(range.first),
                  std::to_string(range.count)};
  const CommandResult result = run_command(command, CancelToken());
  if (result.exit_code == 0) return "";
  return fmt::format("'{}' refused: {}", program, printable(trim(result.stderr_bytes)));
}

}  // namespace

std::optional<IdRange> find_id_range(std::string_view text, std::string_view user_name, std::uint64_t user_id) {
  for (const std::string_view line : split(text, '\n')) {
    const auto fields = split(trim(line), ':');
    if (fields.size() != 3) continue;
    if (fields[0] != user_name && fields[0] != std::to_string(user_id)) continue;
    const auto first = parse_unsigned(fields[1]);
    const auto count = parse_unsigned(fields[2]);
    if (first && count && *count > 0) return IdRange{*first, *count};
  }
  return std::nullopt;
}

bool is_mapped(std::string_view id_map, std::uint64_t id) {
  for (const std::string_view line : split(id_map, '\n')) {
    std::vector<std::uint64_t> numbers;
    for (const std::string_view field : split(line, ' ')) {
      if (const auto number = parse_unsigned(field)) numbers.push_back(*number);
    }
    if (numbers.size() == 3 && id >= numbers[0] && id - numbers[0] < numbers[2]) return true;
  }
  return false;
}

std::string enter_user_namespace() {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  const passwd* entry = ::getpwuid(uid);
  const std::string name = entry != nullptr ? entry->pw_name : std::to_string(uid);
  if (!find_program("newuidmap") || !find_program("newgidmap")) {
    return "newuidmap and newgidmap are not installed; run 'sudo apt-get install uidmap'";
  }
  const auto uids = find_id_range(read_file_if_exists("/etc/subuid").value_or(""), name, uid);
  const auto gids = find_id_range(read_file_if_exists("/etc/subgid").value_or(""), name, uid);
  if (!uids || !gids || uids->count < kNeededIds || gids->count < kNeededIds) {
    return fmt::format(
        "/etc/subuid and /etc/subgid give user '{0}' fewer than {1} further ids; run 'sudo usermod --add-subuids "
        "100000-165535 --add-subgids 100000-165535 {0}'",
        name, kNeededIds);
  }
  try {
    const NamespaceHolder holder;
    if (holder.error() == ENOSPC) {
      return fmt::format(
          "no more user namespaces are allowed here ({}); run 'sudo sysctl -w user.max_user_namespaces=15000', or kiln "
          "as root",
          errno_text(ENOSPC));
    }
    if (holder.error() == EPERM && is_filtered()) {
      return fmt::format(
          "the container that kiln runs in refuses user namespaces ({}); start it with '--security-opt "
          "seccomp=unconfined --security-opt apparmor=unconfined'",
          errno_text(EPERM));
    }
    if (holder.error() != 0) {
      return fmt::format(
          "the kernel refuses user namespaces ({}); run 'sudo sysctl -w kernel.unprivileged_userns_clone=1 "
          "kernel.apparmor_restrict_unprivileged_userns=0' where these settings exist, or kiln as root",
          errno_text(holder.error()));
    }
    std::string problem = map_ids("newuidmap", holder.pid(), uid, *uids);
    if (problem.empty()) problem = map_ids("newgidmap", holder.pid(), gid, *gids);
    if (!problem.empty()) return problem + "; run kiln as root";
    const Fd name_space = open_read(fmt::format("/proc/{}/ns/user", holder.pid()));
    if (::setns(name_space.get(), CLONE_NEWUSER) != 0) {
      return fmt::format("cannot enter a user namespace: {}; run kiln as root", errno_text(errno));
    }
    leave_no_core_files();
  } catch (const Error& error) {
    return error.message() + "; run kiln as root";
  }
  return "";
}

}  // namespace kiln

#include "builder/run/container_worker.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/mount.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/run/cgroups.hpp"
#include "builder/run/container_plan.hpp"
#include "builder/run/host_mounts.hpp"
#include "builder/run/mount_calls.hpp"
#include "builder/run/mount_placing.hpp"
#include "builder/run/mount_source.hpp"
#include "builder/run/mount_stubs.hpp"
#include "builder/run/overlay.hpp"
#include "builder/run/recorded_network.hpp"
#include "builder/run/worker_socket.hpp"

namespace kiln {

namespace {

// How many processes the kernel has killed for want of memory since it booted.
std::uint64_t memory_kills() {
  const std::string text = read_file_if_exists("/proc/vmstat").value_or("");
  const std::size_t at = text.find("\noom_kill ");
  if (at == std::string::npos) return 0;
  const std::size_t begin = at + 10;
  return parse_unsigned(std::string_view(text).substr(begin, text.find('\n', begin) - begin)).value_or(0);
}

// In the folder where this process and the runtime work: a whole path may be too long for a socket, and /proc/1/cwd is
// closed to the runtime, since this process is not dumpable.
constexpr char kConsoleSocket[] = "console";

struct Child {
  pid_t pid = -1;
  Fd pidfd;
};

class Worker {
 public:
  Worker(Fd socket, ContainerPlan plan, Fd output)
      : socket_(std::move(socket)), plan_(std::move(plan)), folders_(plan_.mount_point), output_(std::move(output)) {}

  WorkerReport work() {
    WorkerReport report;
    try {
      if (plan_.recorded_network) hand_over_network();
      mount_all();
      if (!plan_.runtime.empty()) run(report);
    } catch (const Error& error) {
      report.outcome = WorkerReport::Outcome::refused;
      report.category = error.category();
      report.message = error.message();
    }
    end_all(report);
    return report;
  }

 private:
  // The runtime, which this process starts, and the container stay in the namespace.
  void hand_over_network() const {
    const NamespaceSockets sockets = enter_recorded_network();
    for (const Fd* socket : {&sockets.proxy, &sockets.packets, &sockets.names})
      send_message(socket_, MessageType::network, "", socket->get());
  }

  void mount_all() {
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      throw_errno("make private the mounts below", "/");
    protect_host_mounts(writable_folders());
    // The runtime reads /proc, which must show this PID namespace.
    if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) throw_errno("mount", "/proc");
    mount_missing_cgroups();
    if (::mount("tmpfs", folders_.top.c_str(), "tmpfs", MS_NOSUID, "mode=0700") != 0) {
      throw_errno("mount a tmpfs at", folders_.top.native());
    }
    for (const fs::path& folder : {folders_.rootfs(), folders_.stubs(), folders_.top / "m", folders_.top / "empty"}) {
      make_directories(folder);
    }
    if (plan_.host_root) {
      show_host_programs();
      return;
    }
    std::vector<MountPoint> points;
    for (const std::string& target : standard_mount_targets()) {
      points.push_back({.target = target, .is_standard = true});
    }
    std::vector<bool> is_file;
    for (std::size_t i = 0; i < plan_.mounts.size(); ++i) {
      // Everybody may write to a tmpfs on a folder that the image does not have, as with BuildKit.
      const bool is_tmpfs = std::holds_alternative<TmpfsSource>(plan_.mounts[i].source);
      is_file.push_back(prepare_mount_source(plan_, folders_, i));
      points.push_back({plan_.mounts[i].target, is_file.back(), is_tmpfs ? 01777u : 0755u});
    }
    make_stubs(points);
    mount_root();
    placed_.emplace(folders_.rootfs());
    for (std::size_t i = 0; i < plan_.mounts.size(); ++i) {
      if (!is_made_by_runtime(plan_.mounts[i].target)) placed_->place(plan_.mounts[i], folders_.mount(i), is_file[i]);
    }
    check_user_files(folders_.rootfs());
    check_working_folder(folders_.rootfs(), plan_.working_dir);
  }

  // All of the host that this worker's container, or the runtime for it, has reason to write to.
  std::vector<fs::path> writable_folders() const {
    std::vector<fs::path> folders;
    if (!plan_.upper.fs.empty()) folders.push_back(plan_.upper.fs.parent_path());
    if (plan_.own_cgroups) folders.push_back(kCgroupMounts);
    for (const RunMount& mount : plan_.mounts) {
      const auto* cache = std::get_if<CacheSource>(&mount.source);
      if (cache != nullptr && !cache->read_only) folders.push_back(cache->folder);
    }
    return folders;
  }

  // The host's programs and libraries as a root of their own. (The host's "/" itself cannot be bound in a user
  // namespace without all that is mounted below it, /proc and /sys too.)
  void show_host_programs() {
    for (const char* name : {"bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "nix"}) {
      const fs::path here = fs::path("/") / name;
      const fs::path there = folders_.rootfs() / name;
      std::error_code error;
      if (fs::is_symlink(here, error)) {
        fs::create_symlink(fs::read_symlink(here), there);
      } else if (fs::is_directory(here, error)) {
        make_directories(there);
        if (::mount(here.c_str(), there.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
          throw_errno("bind", here.native());
      }
    }
  }

  void make_stubs(const std::vector<MountPoint>& points) {
    if (plan_.lowers.empty()) {
      make_mount_stubs(folders_.top / "empty", folders_.stubs(), points);
      return;
    }
    OverlayMount image;
    image.lowers = plan_.lowers;
    image.lowers.push_back(folders_.top / "empty");
    copy_root_attributes(plan_.lowers.back(), folders_.top / "empty");
    image.user_xattrs = plan_.user_xattrs;
    mount_overlay(image, plan_.snapshots, folders_.rootfs());
    make_mount_stubs(folders_.rootfs(), folders_.stubs(), points);
    if (::umount2(folders_.rootfs().c_str(), 0) != 0) throw_errno("unmount", folders_.rootfs().native());
  }

  void mount_root() {
    // The upper folder is new and empty: as the root of what the container sees it must look like the root below.
    copy_root_attributes(folders_.stubs(), plan_.upper.fs);
    OverlayMount root;
    root.lowers = plan_.lowers;
    root.lowers.push_back(folders_.stubs());
    root.upper = plan_.upper.fs;
    root.work = plan_.upper.work;
    root.user_xattrs = plan_.user_xattrs;
    mount_overlay(root, plan_.snapshots, folders_.rootfs());
    if (plan_.opens_no_devices) add_mount_flags(folders_.rootfs(), MOUNT_ATTR_NODEV);
  }

  static void copy_root_attributes(const fs::path& from, const fs::path& to) {
    struct stat status {};
    if (::stat(from.c_str(), &status) != 0) throw_errno("look up", from.native());
    if (::chown(to.c_str(), status.st_uid, status.st_gid) != 0) throw_errno("change the owner of", to.native());
    if (::chmod(to.c_str(), status.st_mode & 07777) != 0) throw_errno("change the mode of", to.native());
    const timespec times[2] = {status.st_atim, status.st_mtim};
    if (::utimensat(AT_FDCWD, to.c_str(), times, 0) != 0) throw_errno("set the times of", to.native());
  }

  std::vector<std::string> runtime_command(std::initializer_list<std::string> arguments) const {
    std::vector<std::string> argv = {
        plan_.runtime.native(), "--root", (folders_.top / "state").native(), "--log", log().native(),
        "--log-format",         "json"};
    if (!plan_.own_cgroups) {
      argv.push_back(plan_.runtime.filename() == "crun" ? "--cgroup-manager=disabled" : "--rootless=true");
    }
    argv.insert(argv.end(), arguments);
    return argv;
  }
  fs::path log() const { return folders_.top / "log"; }
  fs::path pid_file() const { return folders_.top / "pid"; }
  fs::path exec_pid_file() const { return folders_.top / "exec-pid"; }

  static Child spawn(const std::vector<std::string>& argv, const Fd& input, const Fd& output) {
    std::vector<char*> pointers;
    for (const std::string& argument : argv) pointers.push_back(const_cast<char*>(argument.c_str()));
    pointers.push_back(nullptr);
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char* environment[] = {path, nullptr};
    const pid_t pid = ::fork();
    if (pid < 0) throw_errno("fork for", argv[0]);
    if (pid == 0) {
      sigset_t none;
      ::sigemptyset(&none);
      ::sigprocmask(SIG_SETMASK, &none, nullptr);
      if (::dup2(input.get(), 0) >= 0 && ::dup2(output.get(), 1) >= 0 && ::dup2(output.get(), 2) >= 0) {
        ::execve(pointers[0], pointers.data(), environment);
      }
      ::_exit(127);
    }
    return watch(pid, argv[0]);
  }

  Fd make_input() const {
    if (plan_.stdin_bytes.empty()) return open_read("/dev/null");
    Fd memory(::memfd_create("stdin", MFD_CLOEXEC));
    if (!memory) throw_errno("create", "a memory file");
    write_all(memory, plan_.stdin_bytes, "stdin");
    ::lseek(memory.get(), 0, SEEK_SET);
    return memory;
  }

  // The runtime starts the container and ends (--detach). So the container has kiln's pipe for both outputs itself (the
  // runtime would copy from two pipes of its own, and mix the order up), and is this process's child, whose end is seen
  // first-hand.
  void run(WorkerReport& report) {
    const fs::path config = folders_.top / "config.json";
    write_all(create_file(config, 0600), plan_.spec, config.native());
    const std::uint64_t kills_before = memory_kills();
    const double begin = monotonic_seconds();
    const Fd console = plan_.terminal ? listen_for_console() : Fd();
    auto argv =
        runtime_command({"run", "--detach", "--pid-file", pid_file().native(), "--bundle", folders_.top.native()});
    if (console) argv.insert(argv.end(), {"--console-socket", kConsoleSocket});
    argv.push_back(plan_.id);
    const Child runtime = spawn(argv, make_input(), output_);
    output_.reset();
    std::optional<int> code = wait_for(runtime);
    if (code && *code != 0) {
      explain_refusal(report, *code);
      return;
    }
    if (code) {
      container_ = started_child(pid_file());
      if (console) hand_over_console(console);
      code = wait_for(container_);
    }
    report.seconds = monotonic_seconds() - begin;
    if (!code) {
      report.outcome = WorkerReport::Outcome::killed;
      return;
    }
    report.exit_code = *code;
    report.out_of_memory = *code != 0 && memory_kills() > kills_before;
  }

  // Where the runtime hands over a pseudoterminal. The name of a socket may have 107 bytes, so this process, number 1
  // of its PID namespace, stays in the folder.
  Fd listen_for_console() const {
    if (::chdir(folders_.top.c_str()) != 0) throw_errno("enter", folders_.top.native());
    Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!listener) throw_errno("create", "socket");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, kConsoleSocket, sizeof address.sun_path - 1);
    if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener.get(), 1) != 0) {
      throw_errno("listen at", kConsoleSocket);
    }
    return listener;
  }

  // The runtime has ended well, so its connection is there.
  void hand_over_console(const Fd& listener) const {
    const Fd connection(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) throw_errno("accept", "the container's terminal");
    const Fd terminal = receive_descriptor(connection);
    if (!terminal) throw Error(Category::machine, "the container runtime sent no terminal; run 'kiln doctor'");
    send_message(socket_, MessageType::console, "", terminal.get());
  }

  // What a runtime has started and left to this process.
  static Child started_child(const fs::path& file) {
    const auto pid = parse_unsigned(trim(read_file(file, 64)));
    if (!pid)
      throw Error(Category::machine,
                  fmt::format("the container runtime wrote no process number into '{}'", file.native()));
    return watch(static_cast<pid_t>(*pid), "container");
  }

  static Child watch(pid_t pid, std::string_view what) {
    Child child{pid, Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)))};
    if (!child.pidfd) throw_errno("watch", what);
    return child;
  }

  // The exit code of a child; nullopt where kiln has hung up. Meanwhile commands are run in the container.
  std::optional<int> wait_for(const Child& child) {
    for (;;) {
      if (waiting_exec_ && container_.pidfd) start_exec();
      const bool has_exec = static_cast<bool>(exec_.pidfd);
      std::array<pollfd, 3> polled{pollfd{child.pidfd.get(), POLLIN, 0}, pollfd{socket_.get(), POLLIN, 0},
                                   pollfd{exec_.pidfd.get(), POLLIN, 0}};
      if (::poll(polled.data(), has_exec ? 3 : 2, -1) < 0) {
        if (errno == EINTR) continue;
        throw_errno("wait for", "container");
      }
      if (polled[0].revents) return reap(child.pid);
      if (has_exec && polled[2].revents) continue_exec();
      if (polled[1].revents && !take_message()) return std::nullopt;
    }
  }

  bool take_message() {
    std::optional<WorkerMessage> message = receive_message(socket_);
    if (!message) return false;
    if (message->type == MessageType::exec) waiting_exec_ = std::move(*message);
    if (message->type == MessageType::exec_kill) kill_exec();
    return true;
  }

  void start_exec() {
    const fs::path process = folders_.top / "exec.json";
    write_all(create_file(process, 0600), waiting_exec_->payload, process.native());
    fs::remove(exec_pid_file());
    const auto argv = runtime_command(
        {"exec", "--detach", "--process", process.native(), "--pid-file", exec_pid_file().native(), plan_.id});
    exec_ = spawn(argv, open_read("/dev/null"), waiting_exec_->descriptor);
    exec_is_runtime_ = true;
    waiting_exec_.reset();
  }

  // The runtime that starts the command has ended, or the command has.
  void continue_exec() {
    const int code = reap(exec_.pid);
    if (exec_is_runtime_ && code == 0) {
      exec_is_runtime_ = false;
      exec_ = started_child(exec_pid_file());
      return;
    }
    exec_ = {};
    send_message(socket_, MessageType::exec_done, PayloadWriter().number(static_cast<std::uint64_t>(code)).take());
  }

  void kill_exec() {
    if (exec_.pidfd) ::kill(exec_.pid, SIGKILL);
    if (!waiting_exec_) return;
    waiting_exec_.reset();
    send_message(socket_, MessageType::exec_done, PayloadWriter().number(128 + SIGKILL).take());
  }

  static int reap(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

  void explain_refusal(WorkerReport& report, int code) const {
    std::string reason;
    const std::string text = read_file_if_exists(log(), 1 << 20).value_or("");
    for (const std::string_view line : split(text, '\n')) {
      const nlohmann::json entry = try_parse_json(line).value_or(nullptr);
      if (string_member(entry, "level") == "error") reason = string_member(entry, "msg");
    }
    if (reason.empty()) reason = fmt::format("exit code {} before the container was started", code);
    report.outcome = WorkerReport::Outcome::refused;
    // What the step asks for (a command, a working directory, where a mount goes), and not what this machine can do.
    constexpr std::string_view kAboutStep[] = {
        "exec: \"",        "exec /",         "chdir to cwd",
        "executable file", "inside /proc",   "not a directory",
        "file exists",     "is a directory", "too many levels of symbolic links"};
    const bool about_command = std::any_of(std::begin(kAboutStep), std::end(kAboutStep), [&](std::string_view words) {
      return reason.find(words) != std::string::npos;
    });
    report.category = about_command ? Category::build : Category::machine;
    report.message = about_command ? fmt::format("the command cannot be started: {}", printable(reason))
                                   : fmt::format("the container runtime '{}' failed: {}; run 'kiln doctor'",
                                                 plan_.runtime.native(), printable(reason));
  }

  // A process of another container may have been sent a descriptor of a file of this one, and write to it when all here
  // has ended: to what is a layer then, and below other builds. What is open for writing keeps the kernel from this.
  void seal_root(WorkerReport& report) const {
    if (::mount(nullptr, folders_.rootfs().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0) return;
    if (report.outcome != WorkerReport::Outcome::exited) return;
    report.outcome = WorkerReport::Outcome::refused;
    report.category = errno == EBUSY ? Category::build : Category::machine;
    report.message = errno == EBUSY
                         ? "when the command had ended, a process outside of its container had a file of it "
                           "open for writing; what it wrote is not kept"
                         : fmt::format("cannot make read-only '{}': {}", folders_.rootfs().native(), errno_text(errno));
  }

  // Whatever goes on in this PID namespace ends, then its mounts go: the upper folder is about to be read.
  void end_all(WorkerReport& report) {
    ::kill(-1, SIGKILL);
    for (;;) {
      if (::waitpid(-1, nullptr, 0) < 0 && errno != EINTR) break;
    }
    if (plan_.own_cgroups && !plan_.runtime.empty()) remove_cgroups(plan_.id);
    if (placed_) {
      placed_->remove();
      seal_root(report);
    }
    std::vector<fs::path> mounts = {folders_.rootfs()};
    for (std::size_t i = 0; i < plan_.mounts.size(); ++i) {
      mounts.push_back(folders_.mount(i));
      mounts.push_back(folders_.top / "trees" / std::to_string(i));
    }
    for (const fs::path& mount : mounts) {
      if (::umount2(mount.c_str(), plan_.host_root ? MNT_DETACH : 0) == 0 || errno == EINVAL || errno == ENOENT)
        continue;
      if (report.outcome != WorkerReport::Outcome::exited) continue;
      report.outcome = WorkerReport::Outcome::refused;
      report.message = fmt::format("cannot unmount '{}': {}", mount.native(), errno_text(errno));
    }
  }

  Fd socket_;
  ContainerPlan plan_;
  WorkerFolders folders_;
  Fd output_;
  std::optional<PlacedMounts> placed_;
  Child container_;
  Child exec_;  // the command of an exec message, or the runtime that is about to start it
  bool exec_is_runtime_ = false;
  std::optional<WorkerMessage> waiting_exec_;

 public:
  const Fd& socket() const { return socket_; }
};

}  // namespace

void work_for(Fd socket) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_NAME, "kiln-worker");
  ::signal(SIGCHLD, SIG_DFL);
  ::setsid();
  try {
    std::optional<WorkerMessage> message = receive_message(socket);
    if (!message || message->type != MessageType::run) ::_exit(0);
    Worker worker(std::move(socket), ContainerPlan::parse(message->payload), std::move(message->descriptor));
    message.reset();
    const WorkerReport report = worker.work();
    send_message(worker.socket(), MessageType::done, report.serialise());
  } catch (const std::exception&) {
    // kiln sees the socket close without a report, and says so.
    ::_exit(1);
  }
  ::_exit(0);
}

}  // namespace kiln

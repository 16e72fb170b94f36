#include "builder/run/runner.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/error.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/run/cgroups.hpp"
#include "builder/run/container_plan.hpp"
#include "builder/run/container_worker.hpp"
#include "builder/run/runtime_probe.hpp"
#include "builder/run/user_namespace.hpp"
#include "builder/run/worker_client.hpp"
#include "builder/run/worker_socket.hpp"

namespace kiln {

namespace {

void refuse_worker(const Fd& socket, int error) {
  WorkerReport report;
  report.outcome = WorkerReport::Outcome::refused;
  report.message = fmt::format(
      "cannot make namespaces for a container: {}; {}", errno_text(error),
      ::geteuid() == 0 ? "kiln is root without CAP_SYS_ADMIN: start the container that it runs in with --privileged"
                       : "run kiln as root");
  try {
    // A socket that is closed with something unread takes along what was sent.
    receive_message(socket);
    send_message(socket, MessageType::done, report.serialise());
  } catch (const Error&) {
    // kiln is gone; so will this process be.
  }
}

// Clones a worker for each socket that comes, until the connection to kiln closes.
[[noreturn]] void serve(const Fd& connection) {
  bool cleaned = false;
  for (;;) {
    Fd socket = receive_descriptor(connection);
    if (!socket) ::_exit(0);
    if (!cleaned) remove_stale_cgroups();
    cleaned = true;
    const long worker = ::syscall(SYS_clone, CLONE_NEWNS | CLONE_NEWPID | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (worker == 0) work_for(std::move(socket));
    if (worker < 0) refuse_worker(socket, errno);
  }
}

// The runner keeps nothing of kiln but the socket: no terminal, no signal disposition, no file.
[[noreturn]] void become_runner(Fd connection, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);
  ::prctl(PR_SET_NAME, "kiln-runner");
  ::setsid();
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  ::signal(SIGCHLD, SIG_IGN);  // workers are not waited for: they report themselves
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::umask(022);
  if (::chdir("/") != 0) ::_exit(1);
  const int null = ::open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; ++fd) ::dup2(null, fd);
  constexpr int kSocket = 3;
  if (connection.get() != kSocket) {
    ::dup3(connection.get(), kSocket, O_CLOEXEC);
    connection = Fd(kSocket);
  }
  ::syscall(SYS_close_range, kSocket + 1, ~0U, 0);
  serve(connection);
}

}  // namespace

Privileges current_privileges() {
  if (::geteuid() != 0) return Privileges::none;
  const std::string map = read_file_if_exists("/proc/self/uid_map", 1 << 16).value_or("");
  std::vector<std::string_view> fields;
  for (const std::string_view field : split(trim(map), ' ')) {
    if (!field.empty()) fields.push_back(field);
  }
  const bool is_initial = fields.size() == 3 && fields[0] == "0" && fields[1] == "0" && fields[2] == "4294967295";
  return is_initial ? Privileges::root : Privileges::user_namespace_root;
}

std::unique_ptr<Runner> Runner::start(WithoutRoot without_root) {
  std::string problem;
  if (::geteuid() != 0 && without_root == WithoutRoot::enter_user_namespace) {
    try {
      ::setenv("KILN_HOME", HomeLayout::default_root().c_str(), 0);
    } catch (const Error&) {
      // Who needs the folder says what is missing.
    }
    problem = enter_user_namespace();
  }
  SocketPair sockets = make_socket_pair();
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw_errno("fork", "the runner of containers");
  if (pid == 0) {
    sockets.ours.reset();
    become_runner(std::move(sockets.theirs), parent);
  }
  return std::unique_ptr<Runner>(new Runner(std::move(sockets.ours), pid, std::move(problem)));
}

Runner::~Runner() {
  socket_.reset();
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Fd Runner::open_worker() {
  SocketPair sockets = make_socket_pair();
  const std::lock_guard lock(mutex_);
  if (!send_descriptor(socket_, sockets.theirs.get())) {
    throw Error(Category::machine, "the process that runs containers is gone; run kiln again");
  }
  return std::move(sockets.ours);
}

Runtime Runner::runtime(const HomeLayout& home) {
  static std::mutex probing;  // one probe is enough
  const std::lock_guard one(probing);
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = runtimes_.find(home.root()); it != runtimes_.end()) return it->second;
  }
  Runtime found = RuntimeProbe(*this, home).find();
  const std::lock_guard lock(mutex_);
  return runtimes_.emplace(home.root(), std::move(found)).first->second;
}

RunResult Runner::run(const HomeLayout& home, const RunRequest& request, const OutputSink& output,
                      const CancelToken& cancel) {
  cancel.check();
  std::vector<std::string> warnings;
  const ContainerPlan plan = plan_container(home, runtime(home), request, warnings);
  WorkerClient client(*this, plan);
  client.hand_network_to(request.on_network);
  RunResult result = client.wait(output, cancel);
  result.warnings = std::move(warnings);
  return result;
}

}  // namespace kiln

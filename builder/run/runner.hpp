#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/cancel.hpp"
#include "base/fd.hpp"
#include "builder/run/container_runner.hpp"
#include "builder/run/run_request.hpp"
#include "builder/run/runtime.hpp"
#include "registry/store/layout.hpp"

namespace kiln {

// What to do for a user who is not root.
enum class WithoutRoot {
  stay,                  // containers will be refused
  enter_user_namespace,  // become root of a user namespace where newuidmap and the kernel allow it (a few milliseconds)
};

// Runs containers and leaves nothing of them on the host, whatever happens to kiln.
//
// start() forks one small process, the runner, while kiln has a single thread. For each container it clones a worker,
// the init of a PID namespace and owner of a mount namespace: the worker mounts, calls the OCI runtime and waits. So
// whatever it mounted and started ends with it, and it ends with its socket to kiln, with the runner, which the kernel
// kills when kiln dies, or by itself. After kill -9 nothing is left but empty cgroup folders, which the next runner
// removes.
//
// Nothing is probed before the first container: a machine that cannot run any is Error{machine} from then on, with the
// one command that helps. Any thread may run containers, many at a time.
class Runner final : public ContainerRunner {
 public:
  // Call it first thing in main(): no thread may exist. Where a user namespace is entered, the calling process enters
  // it (so that it may read and remove files of the users in it), and KILN_HOME is set before, since it depends on who
  // one is.
  static std::unique_ptr<Runner> start(WithoutRoot without_root);
  // Ends the runner and every container.
  ~Runner() override;
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  RunResult run(const HomeLayout& home, const RunRequest& request, const OutputSink& output,
                const CancelToken& cancel) override;

  // Why no user namespace was entered; empty where it was not tried or worked.
  const std::string& user_namespace_problem() const noexcept { return user_namespace_problem_; }

  // The runtime that works here; probed when first asked. Error{machine} where none does.
  Runtime runtime(const HomeLayout& home);

 private:
  friend class WorkerClient;
  Runner(Fd socket, pid_t pid, std::string problem)
      : socket_(std::move(socket)), pid_(pid), user_namespace_problem_(std::move(problem)) {}
  // The socket of a new worker.
  Fd open_worker();

  Fd socket_;
  pid_t pid_;
  std::string user_namespace_problem_;
  std::mutex mutex_;  // for what is below, and for writing to the socket
  std::map<fs::path, Runtime> runtimes_;
};

// Whether this process is root, root of a user namespace of its own, or neither.
enum class Privileges { root, user_namespace_root, none };
Privileges current_privileges();

}  // namespace kiln

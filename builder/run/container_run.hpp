#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "builder/run/runner.hpp"
#include "registry/oci/image_config.hpp"

namespace kiln {

// Fills in what an image's config says about the container it starts: entrypoint and command, environment, working
// directory. The user is the caller's to resolve. Error{usage} where there is nothing to execute.
void apply_image_config(RunRequest& request, const oci::ImageConfig& config);

// A container that goes on until it ends or this object does; its processes and mounts are gone then. For one thread at
// a time, but last_output(), which any may call.
class RunningContainer {
 public:
  // Returns when the runtime has been called; the command may not have been executed yet. Its network is
  // request.network: RunNetwork::none has ports of its own.
  static RunningContainer start(Runner& runner, const HomeLayout& home, const RunRequest& request);
  RunningContainer(RunningContainer&&) noexcept;
  RunningContainer& operator=(RunningContainer&&) noexcept;
  ~RunningContainer();

  // The container's end, where it comes within `timeout_ms`. Errors as Runner::run().
  std::optional<RunResult> wait(int timeout_ms);

  struct ExecResult {
    int exit_code = 0;
    bool timed_out = false;  // it was killed
    std::string output;      // the last 16 KiB
  };
  // Runs a command inside, as the container's user in its environment. It waits for the container to be up.
  ExecResult exec(const std::vector<std::string>& argv, int timeout_ms, const CancelToken& cancel);

  // The last lines it printed.
  std::string last_output() const;
  // Kills it and waits until it is gone.
  void kill();

 private:
  struct State;
  explicit RunningContainer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

enum class Health {
  healthy,
  unhealthy,  // the check failed until time was up
  exited,     // the container ended
  no_check,   // the image has none: it was running when time was up
};

struct HealthVerdict {
  Health health = Health::unhealthy;
  double seconds = 0;            // until the verdict
  int checks = 0;                // how many were run
  std::optional<int> exit_code;  // of a container that ended
  std::string check_output;      // of the last check
};

// Waits until the image's HEALTHCHECK succeeds, trying every half second rather than at its interval, each try with its
// timeout, at most `timeout_ms` in all.
HealthVerdict wait_for_health(RunningContainer& container, const oci::ImageConfig& config, int timeout_ms,
                              const CancelToken& cancel);

}  // namespace kiln

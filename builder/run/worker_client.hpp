#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "builder/run/container_plan.hpp"
#include "builder/run/runner.hpp"

namespace kiln {

// kiln's side of one container. For one thread at a time. The container ends with this object at the latest.
class WorkerClient {
 public:
  WorkerClient(Runner& runner, const ContainerPlan& plan);

  // Who gets the sockets of a container's recorded network, from pump().
  void hand_network_to(std::function<void(NamespaceSockets)> receiver) { on_network_ = std::move(receiver); }
  // Waits for something to happen, at most `timeout_ms`, and hands output on. True when the container has ended, its
  // output is complete and its worker has unmounted.
  bool pump(int timeout_ms, const OutputSink& output);
  // The pseudoterminal of a container that asked for one, once; none as long as it has not come.
  Fd take_console() noexcept { return std::move(console_); }
  // Asks for the container's end; pump() tells when it came.
  void stop() noexcept;
  // Until the end; kills the container where `cancel` fires. Throws what run() throws.
  RunResult wait(const OutputSink& output, const CancelToken& cancel);
  // Of a container that has ended. Throws what run() throws.
  RunResult result() const;

  // Runs a command inside; its output goes to `output`. nullopt where the container ended meanwhile, 137 where time was
  // up or `cancel` fired.
  std::optional<int> exec(const std::string& process, int timeout_ms, const OutputSink& container_output,
                          const OutputSink& output, const CancelToken& cancel);

 private:
  void read_message();

  Fd socket_;
  Fd output_;
  Fd exec_output_;
  Fd console_;
  std::vector<Fd> network_;  // that have come
  std::function<void(NamespaceSockets)> on_network_;
  const OutputSink* exec_sink_ = nullptr;
  std::optional<int> exec_code_;
  std::optional<WorkerReport> report_;
};

}  // namespace kiln

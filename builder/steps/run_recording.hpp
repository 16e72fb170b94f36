#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "builder/netlog/network_record.hpp"
#include "builder/run/run_request.hpp"

namespace kiln {

// What a recording came to.
struct RecordedRun {
  NetworkRecord record;
  std::vector<std::string> blocked;   // what was tried around the proxy
  std::vector<std::string> refused;   // certificates that a program did not take
  std::vector<std::string> problems;  // servers that were not reached, messages that were refused

  // For a command that failed: "; HOST's certificate was refused ..."; empty where nothing explains it.
  std::string explanation() const;
};

// Records the network of one container: makes the request such that its programs use a proxy of this object, and runs
// the proxy. A request of RunNetwork::recorded has no other way out; one of RunNetwork::host uses the proxy as far as
// its programs read the usual variables.
class RunRecording {
 public:
  // Changes the request, which must be run as long as this object lives and after nothing of it has been added.
  RunRecording(RunRequest& request, const std::vector<std::string>& unrecorded_hosts);
  ~RunRecording();
  RunRecording(const RunRecording&) = delete;
  RunRecording& operator=(const RunRecording&) = delete;

  // What of the environment that the step sets itself leads around the recording, for people.
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }
  // When the container has ended. Once.
  RecordedRun finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::vector<std::string> warnings_;
};

}  // namespace kiln

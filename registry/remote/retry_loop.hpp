#pragma once

#include <mutex>
#include <random>
#include <string>

#include "registry/remote/remote_session.hpp"
#include "registry/remote/retry.hpp"

namespace kiln {

// How fast one registry is asked, and how long is waited before it is asked again. Any thread.
class RegistryPace {
 public:
  // `session` is borrowed; `authority` is for messages.
  RegistryPace(RemoteSession& session, std::string authority);

  // Waits for the right to send one request.
  void take() { bucket_.take(session_.clock(), session_.cancel()); }
  void succeeded() { bucket_.succeeded(); }

 private:
  friend class RetryLoop;
  double backoff(int attempt);

  RemoteSession& session_;
  std::string authority_;
  TokenBucket bucket_;
  std::mutex mutex_;
  std::mt19937_64 random_;
};

// Counts the attempts at one piece of work and waits between them. Not for several threads.
class RetryLoop {
 public:
  // At most `most_attempts`, and never more than the session's policy says.
  explicit RetryLoop(RegistryPace& pace, int most_attempts = INT32_MAX);
  // Waits and returns true where it is worth trying again; false where the fault stands. Error{cancelled} on cancel.
  bool again(const TransportError& fault);
  bool again(const HttpResponse& response);
  // There was progress: the next fault counts as the first.
  void progressed() { attempt_ = 0; }

 private:
  bool pause(double seconds);

  RegistryPace& pace_;
  int most_attempts_;
  int attempt_ = 0;
};

}  // namespace kiln

#include "base/timed_command.hpp"

#include <signal.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/error.hpp"

namespace kiln {

namespace {

// Fires a token when the time is over, unless it is destroyed before.
class Alarm {
 public:
  Alarm(double seconds, CancelToken token)
      : thread_([this, limit = std::chrono::duration<double>(seconds), token = std::move(token)] {
          std::unique_lock lock(mutex_);
          if (!ended_.wait_for(lock, limit, [this] { return has_ended_; })) token.cancel(SIGALRM);
        }) {}
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  ~Alarm() {
    {
      const std::lock_guard lock(mutex_);
      has_ended_ = true;
    }
    ended_.notify_all();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  bool has_ended_ = false;
  std::thread thread_;
};

}  // namespace

std::optional<CommandResult> run_command_within(double seconds, const Command& command, const CancelToken& cancel) {
  const CancelToken limited = cancel.child();
  const Alarm alarm(seconds, limited);
  try {
    return run_command(command, limited);
  } catch (const Error& error) {
    if (error.category() != Category::cancelled || cancel.is_cancelled()) throw;
    return std::nullopt;
  }
}

}  // namespace kiln

#pragma once

#include <string>
#include <thread>
#include <vector>

#include "base/cancel.hpp"
#include "base/file.hpp"
#include "base/temp_dir.hpp"

namespace kiln {

// An ssh-agent of kiln's own that holds the keys of `--ssh ID=KEY`, so that RUN gets to use them and never to see them.
// It ends with the object, and with kiln however kiln ends.
class SshAgent {
 public:
  // Error{machine} where OpenSSH's client is not installed, Error{usage} for a key that cannot be used without a
  // question.
  SshAgent(const std::vector<fs::path>& keys, const fs::path& work, const CancelToken& cancel);
  ~SshAgent();
  SshAgent(const SshAgent&) = delete;
  SshAgent& operator=(const SshAgent&) = delete;

  const fs::path& socket() const noexcept { return socket_; }

 private:
  void wait_until_it_listens(const CancelToken& cancel);
  void add_key(const fs::path& key, const CancelToken& cancel);

  TempDir folder_;
  fs::path socket_;
  CancelToken stop_;
  std::thread thread_;
};

}  // namespace kiln

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>

namespace kiln {

// The symbolic links of a tar, for the names behind them. For one thread.
class TarLinks {
 public:
  // `refuse` does not return.
  TarLinks(std::uint64_t max_steps, std::function<void(const std::string&)> refuse)
      : max_steps_(max_steps), refuse_(std::move(refuse)) {}

  void note(const std::string& path, const std::string& target) { targets_[path] = target; }
  // Something else has its path.
  void forget(const std::string& path) {
    if (!targets_.empty()) targets_.erase(path);
  }

  // The path with links of this tar in its parents followed inside the root, as those tools do that unpack into a
  // chroot. So nothing that reads entries ever has to go through a link. Refuses loops of links, and more steps behind
  // links than there may be in a tar: each may lead through 40 targets of 4 KiB.
  std::string resolved(std::string path);

 private:
  std::uint64_t max_steps_;
  std::function<void(const std::string&)> refuse_;
  std::unordered_map<std::string, std::string> targets_;
  std::uint64_t steps_ = 0;
};

}  // namespace kiln

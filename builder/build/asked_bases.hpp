#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "builder/solve/base_source.hpp"

namespace kiln {

// Hands on what is asked for, and remembers which target takes what: names that a variable hides, or that only a
// trigger of a base has, show nowhere else. Any thread.
class AskedBases final : public BaseSource {
 public:
  explicit AskedBases(std::unique_ptr<BaseSource> bases) : bases_(std::move(bases)) {}

  void note_taken(const TakenBase& taken) override {
    const std::lock_guard lock(mutex_);
    taken_.push_back(taken);
  }
  BaseImage image(const std::string& reference, const oci::Platform& platform, Pull pull) override {
    return bases_->image(reference, platform, pull);
  }
  BaseImage layout(const LayoutBase& layout, const oci::Platform& platform) override {
    return bases_->layout(layout, platform);
  }
  OrBlocked<BaseImage> debian(const DebianRequest& request, const oci::Platform& platform,
                              const std::string& target) override {
    return bases_->debian(request, platform, target);
  }
  void lose(const Blocked& lost) override { bases_->lose(lost); }
  std::map<std::string, std::string> would_lock() const override { return bases_->would_lock(); }

  // In the order in which they were told; some more than once.
  std::vector<TakenBase> taken() const {
    const std::lock_guard lock(mutex_);
    return taken_;
  }

 private:
  std::unique_ptr<BaseSource> bases_;
  mutable std::mutex mutex_;
  std::vector<TakenBase> taken_;
};

}  // namespace kiln

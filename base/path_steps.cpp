#include "base/path_steps.hpp"

#include "base/text.hpp"

namespace kiln {

std::optional<std::string> PathSteps::next() {
  while (!rest_.empty()) {
    std::string name = std::move(rest_.back());
    rest_.pop_back();
    if (name != "..") return name;
    if (!reached_.empty()) reached_.pop_back();
  }
  return std::nullopt;
}

bool PathSteps::follow(std::string_view link) {
  if (++links_ > kMostLinks) return false;
  if (link.starts_with('/')) reached_.clear();
  put_first(link);
  return true;
}

void PathSteps::put_first(std::string_view path) {
  const auto parts = split(path, '/');
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (!part->empty() && *part != ".") rest_.emplace_back(*part);
  }
}

}  // namespace kiln

#include "builder/layer/tar_links.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/path_steps.hpp"
#include "base/text.hpp"
#include "builder/layer/file_entry.hpp"

namespace kiln {

std::string TarLinks::resolved(std::string path) {
  if (targets_.empty()) return path;
  PathSteps steps(path);
  std::string done;               // of the components that were reached
  std::vector<std::size_t> ends;  // where each of them ends in it
  bool is_behind_link = false;
  while (auto part = steps.next()) {
    ends.resize(std::min(ends.size(), steps.reached().size()));
    done.resize(ends.empty() ? 0 : ends.back());
    if (is_behind_link && ++steps_ > max_steps_)
      refuse_(fmt::format("names that lead through links by more than {} steps", max_steps_));
    const std::size_t before = done.size();
    if (!done.empty()) done += '/';
    done += *part;
    const auto link = steps.at_last() ? targets_.end() : targets_.find(done);
    if (link == targets_.end()) {
      steps.enter(std::move(*part));
      ends.push_back(done.size());
      continue;
    }
    done.resize(before);
    is_behind_link = true;
    if (!steps.follow(link->second)) refuse_(fmt::format("the name '{}' runs into a loop of links", printable(path)));
  }
  ends.resize(std::min(ends.size(), steps.reached().size()));
  done.resize(ends.empty() ? 0 : ends.back());
  if (!is_canonical_entry_path(done)) refuse_(fmt::format("the name '{}' cannot be", printable(path)));
  return done;
}

}  // namespace kiln

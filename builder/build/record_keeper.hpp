#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/build/build_log.hpp"
#include "builder/build/workshop.hpp"

namespace kiln {

// Keeps what a build did for 'kiln why' and 'kiln report'. Where it is left without finish() because of an error, the
// record of a build that failed is saved.
class RecordKeeper {
 public:
  // The clock of the build starts. The shop is borrowed.
  RecordKeeper(Workshop& shop, double began);
  ~RecordKeeper();

  void begin(const Plan& plan, const std::vector<std::size_t>& wanted, const Fleet& fleet);
  // The report of all that was done, saved as this home's last one, and the build's record with it.
  BuildReport finish(const BuildRequest& request, const std::vector<BuiltTarget>& targets);

 private:
  void keep(bool failed);

  Workshop& shop_;
  BuildLog log_;
  double began_;
  bool is_kept_ = false;
};

// Error{build} where an image is larger than its definition's limits.size, naming its largest layer's line. For before
// anything is named or pushed.
void check_sizes(const std::vector<BuiltImage>& images);

}  // namespace kiln

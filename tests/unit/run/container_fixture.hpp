#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/temp_dir.hpp"
#include "builder/run/runner.hpp"

namespace kiln::testing {

// The runner of this test program, forked before main().
Runner& runner();

// Why containers cannot be run here; empty where they can. A test that needs them says so and returns.
const std::string& no_containers();
#define KILN_NEEDS_CONTAINERS()                             \
  if (!kiln::testing::no_containers().empty()) {            \
    MESSAGE("skipped: " << kiln::testing::no_containers()); \
    return;                                                 \
  }

// A home with the files of an image (busybox and little else) and one upper folder after the other.
class ContainerFixture {
 public:
  ContainerFixture();

  RunRequest request(const std::string& script);
  // Runs /bin/sh -c SCRIPT; what it printed is in `output`.
  RunResult run(const std::string& script);
  RunResult run(const RunRequest& request);
  // Names below the last request's upper folder, sorted; folders end in '/'.
  std::vector<std::string> upper_names() const;
  std::string upper_text(const std::string& path) const;

  TempDir top;
  HomeLayout home;
  fs::path image;
  UpperFolders upper;
  std::string output;
  CancelToken cancel;

 private:
  int count_ = 0;
};

}  // namespace kiln::testing

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/run/runner.hpp"

namespace kiln {

enum class CheckState { ok, warn, fail };

// What was found about one thing that containers need.
struct MachineCheck {
  std::string name;  // "overlay", "user namespace", "runtime", "cgroups"
  CheckState state = CheckState::ok;
  std::string finding;  // "runc 1.1.5 started a container in 24 ms"
  std::string help;     // one command or sentence; empty where all is well
};

// Finds out what containers need, by trying: mounts an overlay, starts a container. One answer per boot, kept in
// runtime/probe ("kiln runtime 1\nboot UUID\nuid N\nprogram PATH\nsize N\nmtime N\ncgroups own|none\n") and used again
// while the program is the same.
class RuntimeProbe {
 public:
  RuntimeProbe(Runner& runner, const HomeLayout& home) : runner_(runner), home_(home) {}

  // What run() needs. Error{machine} with the first check that fails and its help.
  Runtime find();
  // Everything tried anew, for `kiln doctor`.
  std::vector<MachineCheck> check();

 private:
  MachineCheck check_privileges() const;
  MachineCheck check_overlay();
  MachineCheck check_cgroups() const;
  MachineCheck check_runtime(std::optional<Runtime>& found);
  // The error of a container really started with it; empty where it went well.
  std::string try_runtime(const Runtime& runtime, double& seconds);

  Runner& runner_;
  const HomeLayout& home_;
};

// What a probe found, as it is remembered.
std::string serialise_probe(const Runtime& runtime, std::string_view boot_id);
// nullopt where the text is no such answer, or one of another boot, another user, or about a program that has changed.
std::optional<Runtime> parse_probe(std::string_view text, std::string_view boot_id);

}  // namespace kiln

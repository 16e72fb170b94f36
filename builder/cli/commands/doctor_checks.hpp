#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "builder/run/runtime_probe.hpp"
#include "registry/store/layout.hpp"

namespace kiln::cli {

// What `kiln doctor` asks beside the runtime's own checks (RuntimeProbe::check). None of them throws but for
// cancelling: what goes wrong is the finding.

// Free space and files below KILN_HOME, and whether it can be written.
MachineCheck check_disk(const HomeLayout& home);

// Whether users other than its owner can enter KILN_HOME.
MachineCheck check_home(const HomeLayout& home);

// What a folder's definitions come to.
struct DefinitionsCheck {
  MachineCheck check;
  std::string registry_and_namespace;  // of the fleet; empty where there is none
  std::string ca_bundle;
};
DefinitionsCheck check_definitions(const std::optional<std::string>& file);

// The certificate authorities that RUN will trust.
MachineCheck check_authorities(const std::string& ca_bundle);

// The right to push below "HOST[:PORT][/NAMESPACE]", asked for without pushing, and the clock against that registry's.
// With an empty name, nothing is asked.
std::vector<MachineCheck> check_registry(const std::string& registry_and_namespace, const CancelToken& cancel);

}  // namespace kiln::cli

#pragma once

#include "base/file.hpp"
#include "builder/build/store_bound.hpp"

namespace kiln::cli {

// What this machine's settings file says: $KILN_CONFIG, else /etc/kiln/config.json for root and
// $XDG_CONFIG_HOME/kiln/config.json (~/.config/...) for others. JSON, version 1; sizes are in units of 1024:
//
//   {"store": {"max_used_space": "50GB", "min_free_space": "20GB"}}
struct MachineSettings {
  StoreBound store;
};

fs::path machine_settings_file();
// Nothing is set where there is no such file. Error{usage} naming file and key for what is wrong in it, and where
// $KILN_CONFIG names a file that is not there.
MachineSettings read_machine_settings();

}  // namespace kiln::cli

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "builder/cache/step_key.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/version.hpp"
#include "registry/oci/platform.hpp"

namespace kiln::cli {

void add_version_command(Arguments& root) {
  const auto as_json = std::make_shared<bool>(false);
  root.command("version", "Print kiln's version.")
      .flag("--json", *as_json, "as JSON")
      .handler([as_json](const CancelToken&) {
        const std::string platform = oci::Platform::host().str();
        if (*as_json) {
          fmt::print("{}\n",
                     json_text(nlohmann::json{
                         {"version", kVersion}, {"platform", platform}, {"step_key_version", kStepKeyVersion}}));
        } else {
          fmt::print("kiln {} {}\n", kVersion, platform);
        }
        return 0;
      });
}

}  // namespace kiln::cli

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/commands/doctor_checks.hpp"
#include "builder/cli/exit_code.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_text.hpp"

namespace kiln::cli {

namespace {

struct DoctorWords {
  std::optional<std::string> file;
  std::string registry;
  bool json = false;
};

std::string_view to_string(CheckState state) {
  switch (state) {
    case CheckState::ok:
      return "ok";
    case CheckState::warn:
      return "warn";
    case CheckState::fail:
      return "fail";
  }
  return "";
}

void print_checks(const std::vector<MachineCheck>& checks) {
  for (const MachineCheck& check : checks) {
    print_text(fmt::format("{:<5} {:<15} {}\n", to_string(check.state), check.name, printable(check.finding)));
    if (!check.help.empty()) print_text(fmt::format("{:<21} -> {}\n", "", printable(check.help)));
  }
}

void print_document(const std::vector<MachineCheck>& checks, bool has_failed) {
  nlohmann::json list = nlohmann::json::array();
  for (const MachineCheck& check : checks) {
    list.push_back({{"name", check.name},
                    {"state", to_string(check.state)},
                    {"finding", printable(check.finding)},
                    {"help", printable(check.help)}});
  }
  print_json(nlohmann::json{{"ok", !has_failed}, {"checks", std::move(list)}});
}

int run_doctor(const DoctorWords& words, const CancelToken& cancel) {
  if (words.file && !fs::exists(*words.file))
    throw Error(Category::usage, fmt::format("--file: there is no file or folder '{}'", printable(*words.file)));
  // The runner first: it is forked before any thread, and may move KILN_HOME.
  const auto runner = Runner::start(WithoutRoot::enter_user_namespace);
  const HomeLayout home = HomeLayout::open(HomeLayout::default_root());
  std::vector<MachineCheck> checks = RuntimeProbe(*runner, home).check();
  checks.push_back(check_disk(home));
  checks.push_back(check_home(home));
  const DefinitionsCheck definitions = check_definitions(words.file);
  checks.push_back(definitions.check);
  checks.push_back(check_authorities(definitions.ca_bundle));
  const std::string& registry = words.registry.empty() ? definitions.registry_and_namespace : words.registry;
  for (MachineCheck& check : check_registry(registry, cancel)) checks.push_back(std::move(check));
  const bool has_failed = std::any_of(checks.begin(), checks.end(),
                                      [](const MachineCheck& check) { return check.state == CheckState::fail; });
  if (words.json) {
    print_document(checks, has_failed);
  } else {
    print_checks(checks);
  }
  return has_failed ? exit_code_of(Category::machine, cancel) : 0;
}

}  // namespace

void add_doctor_command(Arguments& root) {
  const auto words = std::make_shared<DoctorWords>();
  root.command("doctor", "Find out whether this machine has what kiln needs, and what to do where it has not.")
      .option("-f,--file", words->file, "definitions to load (default: those of this folder)")
      .option("--registry", words->registry,
              "HOST[:PORT]/NAMESPACE to be allowed to push to (default: the definitions')")
      .flag("--json", words->json, "as JSON")
      .handler([words](const CancelToken& cancel) { return run_doctor(*words, cancel); });
}

}  // namespace kiln::cli

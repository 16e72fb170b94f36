#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/build/profile_layers.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_table.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/words/build_surroundings.hpp"
#include "builder/cli/words/selected_fleet.hpp"
#include "builder/definitions/load_fleet.hpp"
#include "builder/definitions/profile.hpp"
#include "builder/definitions/profile_checks.hpp"
#include "builder/report/report_words.hpp"

namespace kiln::cli {

namespace {

using nlohmann::json;

struct ProfileWords {
  std::optional<std::string> file;
  std::vector<std::string> names;
  std::string name;
  std::string other;
  std::string image;
  bool json = false;
};

Fleet load(const ProfileWords& words, BrokenImages broken = BrokenImages::set_aside) {
  LoadFleetOptions options;
  options.working_directory = fs::current_path();
  if (words.file) options.file = *words.file;
  options.environment = environment_variable;
  options.broken = broken;
  StderrLog log;
  Fleet fleet = load_fleet(options);
  for (const std::string& warning : fleet.warnings) log.warn(warning);
  warn_of_broken(fleet, {}, log);
  return fleet;
}

const Profile& find_profile(const Fleet& fleet, const std::string& name) {
  const auto found = fleet.profiles.find(name);
  if (found != fleet.profiles.end()) return found->second;
  if (fs::exists(fleet.settings.profiles_folder / (name + ".json")))
    throw Error(Category::usage, fmt::format("profile '{}' cannot be read, as said above", printable(name)));
  std::vector<std::string> known;
  for (const auto& [other, profile] : fleet.profiles) known.push_back(other);
  throw Error(Category::usage, fmt::format("there is no profile '{}'{}", printable(name), suggestion(name, known)));
}

std::string describe(const Machine& machine) {
  std::vector<std::string> parts;
  if (machine.cores) parts.push_back(fmt::format("{} cores", *machine.cores));
  if (machine.memory_bytes) parts.push_back(fmt::format("{} memory", human_bytes(*machine.memory_bytes)));
  if (!machine.gpu.empty())
    parts.push_back(machine.vram_bytes ? fmt::format("{} ({})", machine.gpu, human_bytes(*machine.vram_bytes))
                                       : machine.gpu);
  return parts.empty() ? "-" : join(parts, ", ");
}

json to_json(const Profile& profile, const Fleet& fleet) {
  json machine = json::object();
  if (profile.machine.cores) machine["cores"] = *profile.machine.cores;
  if (profile.machine.memory_bytes) machine["memory_bytes"] = *profile.machine.memory_bytes;
  if (!profile.machine.gpu.empty()) machine["gpu"] = profile.machine.gpu;
  if (profile.machine.vram_bytes) machine["vram_bytes"] = *profile.machine.vram_bytes;
  json targets = json::array();
  for (const TargetSpec& target : fleet.targets) {
    if (target.profile && target.profile->name == profile.name) targets.push_back(target.name);
  }
  json environment = json::object();
  for (const auto& [name, value] : profile.env) environment[name] = value;
  return {{"name", profile.name},     {"file", profile.file.string()}, {"machine", machine},
          {"values", profile.values}, {"environment", environment},    {"targets", targets}};
}

int list_profiles(const ProfileWords& words) {
  const Fleet fleet = load(words);
  if (words.json) {
    json profiles = json::array();
    for (const auto& [name, profile] : fleet.profiles) profiles.push_back(to_json(profile, fleet));
    print_json(json{{"schema_version", 1}, {"profiles", profiles}});
    return 0;
  }
  TextTable table({TextTable::Align::left, TextTable::Align::left, TextTable::Align::right}, 1);
  table.add({{"profile", TextStyle::dim}, {"machine", TextStyle::dim}, {"images", TextStyle::dim}});
  for (const auto& [name, profile] : fleet.profiles) {
    const auto images = std::count_if(fleet.targets.begin(), fleet.targets.end(), [&name = name](const TargetSpec& t) {
      return t.profile && t.profile->name == name;
    });
    table.add({{name, TextStyle::bold}, {printable(describe(profile.machine))}, {std::to_string(images)}});
  }
  print_table(table);
  return 0;
}

int show_profile(const ProfileWords& words) {
  const Fleet fleet = load(words);
  const Profile& profile = find_profile(fleet, words.name);
  if (words.json) {
    json document = to_json(profile, fleet);
    document["schema_version"] = 1;
    print_json(document);
    return 0;
  }
  print_field("Profile", profile.name);
  print_field("File", profile.file.string());
  print_field("Machine", describe(profile.machine));
  TextTable table({TextTable::Align::left, TextTable::Align::left, TextTable::Align::left}, 1);
  for (const auto& [name, value] : profile.env) {
    const bool own = profile.values.count(name) != 0;
    table.add(
        {{name, TextStyle::bold}, {printable(value)}, {own ? "" : "derived: what the library reads", TextStyle::dim}});
  }
  print_table(table);
  return 0;
}

int check_profiles(const ProfileWords& words) {
  const Fleet fleet = load(words, BrokenImages::refused);
  std::vector<const Profile*> wanted;
  for (const std::string& name : words.names) wanted.push_back(&find_profile(fleet, name));
  if (words.names.empty()) {
    for (const auto& [name, profile] : fleet.profiles) wanted.push_back(&profile);
  }
  // GPU services whose family has no code for a profile's CUDA_ARCH are refused here, with the target.
  plan_targets(fleet);
  json findings = json::array();
  std::size_t errors = 0;
  for (const Profile* profile : wanted) {
    const std::vector<ProfileFinding> found = check_profile(*profile);
    if (!words.json && found.empty()) print_text(fmt::format("{}: nothing found\n", profile->name));
    for (const ProfileFinding& finding : found) {
      const bool is_error = finding.severity == ProfileFinding::Severity::error;
      errors += is_error ? 1 : 0;
      const char* severity = is_error ? "error" : "warning";
      findings.push_back(
          {{"profile", profile->name}, {"severity", severity}, {"key", finding.key}, {"text", finding.text}});
      if (!words.json) print_text(fmt::format("{}: {}: {}: {}\n", profile->name, severity, finding.key, finding.text));
    }
  }
  if (words.json) print_json(json{{"schema_version", 1}, {"findings", findings}, {"errors", errors}});
  return errors ? 1 : 0;
}

json to_json(const StepComparison& step) {
  json causes = json::array();
  for (const std::string& cause : step.causes) causes.push_back(cause);
  json item = {{"file", step.file},
               {"line", step.line},
               {"text", step.text},
               {"is_layer", step.is_layer},
               {"verdict", to_string(step.verdict)},
               {"because", causes}};
  item["bytes"] = step.bytes ? json(*step.bytes) : json(nullptr);
  item["other_bytes"] = step.other_bytes ? json(*step.other_bytes) : json(nullptr);
  return item;
}

void print_comparison(const ImageComparison& comparison, const ProfileWords& words) {
  print_text(fmt::format("\n{}\n", comparison.image));
  TextTable table({TextTable::Align::left, TextTable::Align::right, TextTable::Align::left, TextTable::Align::left}, 3);
  const auto bytes = [](const std::optional<std::uint64_t>& value) {
    return value ? human_bytes(*value) : std::string("not built");
  };
  for (const StepComparison& step : comparison.steps) {
    const bool differs = step.verdict == StepComparison::Verdict::differs;
    const std::string size = differs && step.other_bytes != step.bytes
                                 ? bytes(step.bytes) + " / " + bytes(step.other_bytes)
                                 : bytes(step.bytes);
    // The whole command is in --json.
    std::string text = shortened(shown_instruction(step.text), 60);
    if (!step.causes.empty())
      text = fmt::format("{}: {}", step.text.substr(0, step.text.find(' ')), join(step.causes, "; "));
    table.add({{std::string(to_string(step.verdict)), differs ? TextStyle::bad : TextStyle::good},
               {size},
               {fmt::format("{}{}", shown_place(step.file, step.line), step.is_layer ? "" : " (no layer of the image)"),
                TextStyle::dim},
               {printable(text)}});
  }
  print_table(table);
  const auto totals = comparison.totals();
  print_text(fmt::format(
      "{} and {} share {} of {} layers, {}; {} bear their own, {} and {}{}\n", words.name, words.other,
      totals.shared_layers, totals.shared_layers + totals.own_layers, human_bytes(totals.shared_bytes),
      totals.own_layers, human_bytes(totals.bytes), human_bytes(totals.other_bytes),
      totals.unmeasured ? fmt::format("; {} were not built here yet and are not in these sums", totals.unmeasured)
                        : ""));
}

int diff_profiles(const ProfileWords& words, const CancelToken& cancel) {
  const Fleet fleet = load(words);
  const Profile& profile = find_profile(fleet, words.name);
  const Profile& other = find_profile(fleet, words.other);
  std::set<std::string> keys;
  for (const auto& [key, value] : profile.values) keys.insert(key);
  for (const auto& [key, value] : other.values) keys.insert(key);
  json values = json::object();
  TextTable table({TextTable::Align::left, TextTable::Align::left, TextTable::Align::left}, 2);
  table.add({{"", TextStyle::dim}, {profile.name, TextStyle::bold}, {other.name, TextStyle::bold}});
  const auto value_of = [](const Profile& p, const std::string& key) {
    return p.values.count(key) ? json(p.values.at(key)) : json(nullptr);
  };
  for (const std::string& key : keys) {
    const json a = value_of(profile, key);
    const json b = value_of(other, key);
    if (a == b) continue;
    values[key] = {a, b};
    const auto shown = [](const json& value) {
      return value.is_null() ? std::string("-") : printable(value.get<std::string>());
    };
    table.add({{key}, {shown(a)}, {shown(b)}});
  }
  std::optional<ImageComparison> comparison;
  if (!words.image.empty())
    comparison = compare_profiles(fleet, profile, other, words.image, surroundings_of({std::nullopt, true}, cancel));
  if (words.json) {
    json document = {{"schema_version", 1}, {"profiles", {profile.name, other.name}}, {"values", values}};
    if (comparison) {
      json steps = json::array();
      for (const StepComparison& step : comparison->steps) steps.push_back(to_json(step));
      const auto totals = comparison->totals();
      document["image"] = {
          {"name", comparison->image},
          {"steps", steps},
          {"shared", {{"layers", totals.shared_layers}, {"bytes", totals.shared_bytes}}},
          {"own", {{"layers", totals.own_layers}, {"bytes", totals.bytes}, {"other_bytes", totals.other_bytes}}},
          {"unmeasured", totals.unmeasured}};
    }
    print_json(document);
    return 0;
  }
  if (values.empty()) {
    print_text(fmt::format("{} and {} have the same values\n", profile.name, other.name));
  } else {
    print_table(table);
  }
  if (comparison) print_comparison(*comparison, words);
  return 0;
}

}  // namespace

void add_profile_command(Arguments& root) {
  const auto words = std::make_shared<ProfileWords>();
  Arguments& profile = root.command("profile", "The machines that images are baked for.");
  const auto common = [&](Arguments& command) -> Arguments& {
    return command.option("-f,--file", words->file, "fleet.json or its folder")
        .flag("--json", words->json, "print JSON");
  };
  common(profile.command("list", "List the profiles and their machines.")).handler([words](const CancelToken&) {
    return list_profiles(*words);
  });
  common(profile.command("show", "Show what a profile bakes into images."))
      .required_positional("PROFILE", words->name, "the profile")
      .handler([words](const CancelToken&) { return show_profile(*words); });
  common(profile.command("diff", "Compare two profiles, and what they make of an image."))
      .required_positional("PROFILE", words->name, "the one")
      .required_positional("OTHER", words->other, "and the other")
      .positional("IMAGE", words->image,
                  "an image that is baked for both: which of its layers differ, and which ARG does it")
      .handler([words](const CancelToken& cancel) { return diff_profiles(*words, cancel); });
  common(profile.command("check", "Hold profiles against their machines, and against what torch and CUDA take."))
      .positional("PROFILE", words->names, "profiles (default: all)")
      .handler([words](const CancelToken&) { return check_profiles(*words); });
}

}  // namespace kiln::cli

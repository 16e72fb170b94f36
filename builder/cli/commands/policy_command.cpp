#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/count_of.hpp"
#include "base/text.hpp"
#include "builder/build/build.hpp"
#include "builder/build/fleet_plan.hpp"
#include "builder/build/policy_look.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/images/image_documents.hpp"
#include "builder/cli/images/image_policy.hpp"
#include "builder/cli/images/opened_image.hpp"
#include "builder/cli/output/policy_annotations.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/words/build_surroundings.hpp"
#include "builder/cli/words/selected_fleet.hpp"
#include "builder/policy/findings_output.hpp"
#include "registry/remote/pull.hpp"
#include "registry/store/image_names.hpp"

namespace kiln::cli {

namespace {

using nlohmann::json;

struct PolicyWords {
  std::vector<std::string> images;
  std::optional<std::string> file;
  std::vector<std::string> profiles;
  std::string format = "text";
  OpenWords open;
  bool offline = false;
};

// All that was found, and sentences on what was not looked at.
struct PolicyResult {
  std::vector<PolicyFinding> findings;
  std::vector<std::string> notes;

  void add(const std::vector<PolicyFinding>& more) { findings.insert(findings.end(), more.begin(), more.end()); }
};

void check_policy_format(const std::string& format) {
  const std::vector<std::string> formats = {"text", "json", "sarif", "github"};
  if (std::find(formats.begin(), formats.end(), format) != formats.end()) return;
  throw Error(Category::usage,
              fmt::format("--format: unknown format '{}'{}", printable(format), suggestion(format, formats)));
}

// Targets, images, groups and globs over them; every other word is a reference.
bool is_of_fleet(const Fleet& fleet, const std::string& word) {
  if (fleet.find(word) || fleet.groups.count(word)) return true;
  if (word.find_first_of("/:@") != std::string::npos) return false;
  const ContentStore store(HomeLayout::open(HomeLayout::default_root()));
  const auto images = named_images(store);
  const std::string full = oci::Reference::parse_if_valid(word) ? oci::Reference::parse(word).str() : word;
  return std::none_of(images.begin(), images.end(),
                      [&](const NamedImage& image) { return image.name == word || image.name == full; });
}

// What is in the store under a name; nullopt where nothing is.
std::optional<oci::Descriptor> find_stored(const ContentStore& store, const oci::Reference& name) {
  const auto images = named_images(store);
  const auto it =
      std::find_if(images.begin(), images.end(), [&](const NamedImage& image) { return image.name == name.str(); });
  return it == images.end() ? std::nullopt : std::optional(it->descriptor);
}

// The definitions of targets, as a build of them would be checked before it begins.
void check_targets(const PolicyWords& words, const SelectedFleet& loaded, const CancelToken& cancel,
                   PolicyResult& result) {
  BuildRequest request;
  request.settings = fleet_build_settings(loaded.fleet, "");
  request.settings.offline = words.offline;
  request.settings.bases.offline = words.offline;
  request.naming = loaded.naming;
  request.fleet = loaded.fleet;
  for (const TargetSpec* target : loaded.selected) request.targets.push_back(target->name);
  result.add(look_at_policy(request, surroundings_of({words.open.progress, words.open.quiet}, cancel)));
}

// Adds what an image of a target breaks. What its lines told already, by the same rule, is not told again.
void add_of_image(const TargetSpec& target, const std::vector<PolicyFinding>& found, PolicyResult& result) {
  const std::vector<PolicyFinding> of_lines = result.findings;
  for (const PolicyFinding& finding : found) {
    const bool is_known = std::any_of(of_lines.begin(), of_lines.end(), [&](const PolicyFinding& other) {
      return other.rule == finding.rule && other.message == finding.message && other.image == target.name;
    });
    if (!is_known) result.findings.push_back(finding);
  }
}

// The images that targets were last built to.
void check_built_images(const SelectedFleet& loaded, RegistrySession& session, const FleetPolicy& policy,
                        const CancelToken& cancel, PolicyResult& result) {
  for (const TargetSpec* target : loaded.selected) {
    bool is_found = false;
    for (const std::string& name : image_names(loaded.fleet, *target, loaded.naming)) {
      const oci::Reference reference = oci::Reference::parse(name);
      const auto root = find_stored(session.store(), reference);
      if (!root) continue;
      ImagePolicy images(session, policy, cancel);
      images.check(reference, *root, std::nullopt);
      add_of_image(*target, images.findings(), result);
      is_found = true;
      break;
    }
    if (is_found) continue;
    result.notes.push_back(
        fmt::format("the store has no image of '{}', so that its packages, licences and size were not looked at; 'kiln "
                    "bake {}' makes one, or name one at a registry",
                    printable(target->name), printable(target->name)));
  }
}

void check_reference(const PolicyWords& words, const std::string& word, RegistrySession& session, ImagePolicy& images,
                     PolicyResult& result) {
  const oci::Reference reference = oci::Reference::parse(word);
  if (words.open.local) {
    const auto root = find_stored(session.store(), reference);
    if (!root)
      throw Error(Category::usage, fmt::format("the store has no image '{}'; 'kiln images' lists what it has",
                                               printable(reference.str())));
    images.check(reference, *root, std::nullopt);
  } else if (words.open.platform.empty()) {
    images.check(reference, fetch_documents(session, reference), session.remote().repository_of(reference));
  } else {
    const PulledImage pulled = pull_image(session.remote(), session.store(), reference,
                                          oci::Platform::parse(words.open.platform), PullWhat::manifests);
    images.check(reference, pulled.manifest, pulled.source);
  }
  if (std::string note = images.unchecked_note(reference.str()); !note.empty()) result.notes.push_back(std::move(note));
}

void print_policy(const PolicyResult& result, const std::string& format) {
  const std::vector<PolicyFinding> placed = in_repository(result.findings);
  if (format == "json") {
    const json document = {
        {"denied", is_denied(result.findings)}, {"findings", findings_json(result.findings)}, {"notes", result.notes}};
    print_json(document);
  } else if (format == "sarif") {
    print_json(findings_sarif(placed));
  } else if (format == "github") {
    fmt::print("{}", findings_annotations(placed));
  } else {
    print_text(findings_text(result.findings));
    const auto denying = std::count_if(result.findings.begin(), result.findings.end(),
                                       [](const PolicyFinding& finding) { return finding.level == PolicyLevel::deny; });
    print_text(fmt::format(
        "{}\n", result.findings.empty()
                    ? std::string("nothing breaks the policy")
                    : fmt::format("{}, of which {} deny", count_of(result.findings.size(), "finding"), denying)));
  }
  if (format == "json") return;
  StderrLog log;
  for (const std::string& note : result.notes) log.warn(note);
}

int run_policy_check(const PolicyWords& words, const CancelToken& cancel) {
  check_policy_format(words.format);
  StderrLog log;
  DefinitionWords definitions;
  if (words.file) definitions.files = {*words.file};
  LoadFleetOptions options = find_definitions(definitions, cancel).options;
  options.broken = BrokenImages::set_aside;
  const Fleet fleet = load_fleet(options);
  if (fleet.front_end != FrontEnd::image_definitions)
    throw Error(Category::usage, "a policy stands in a fleet.json; name it by -f");
  if (!fleet.settings.policy.any())
    log.warn(fmt::format("'{}' has no policy, so there is nothing to check: docs/policy.md says how to write one",
                         printable(fleet.file.string())));
  std::vector<std::string> references;
  for (const std::string& word : words.images) {
    if (is_of_fleet(fleet, word)) {
      options.wanted.push_back(word);
    } else {
      references.push_back(word);
    }
  }
  const bool has_targets = words.images.empty() || !options.wanted.empty();
  SelectedFleet loaded;
  PolicyResult result;
  // Before the session has threads: a build may fork.
  if (has_targets) {
    loaded = select_fleet(options, words.profiles, "", words.offline ? MayFetch::no : MayFetch::yes, cancel, log);
    check_targets(words, loaded, cancel, result);
  }
  FleetPolicy policy{fleet.settings.policy, fleet};
  RegistrySession session(words.open.progress, words.open.quiet, cancel);
  ImagePolicy images(session, policy, cancel);
  if (has_targets) check_built_images(loaded, session, policy, cancel, result);
  for (const std::string& word : references) check_reference(words, word, session, images, result);
  session.end_progress();
  result.add(images.findings());
  print_policy(result, words.format);
  return is_denied(result.findings) ? 1 : 0;
}

}  // namespace

void add_policy_command(Arguments& root) {
  const auto words = std::make_shared<PolicyWords>();
  Arguments& policy = root.command("policy", "What images may be, by the rules of fleet.json.");
  Arguments& check = policy.command("check", "Say what breaks the policy; exit code 1 where a finding denies.");
  check
      .positional("IMAGE", words->images,
                  "targets, images or groups of the fleet (default: the group 'default'), or references to images of a "
                  "registry")
      .option("-f,--file", words->file, "fleet.json, or its folder")
      .option("--profile", words->profiles, "for this machine profile only")
      .option("--format", words->format, "text (default), json, sarif or github")
      .flag("--offline", words->offline, "ask no registry: base images are looked for in the store")
      .handler([words](const CancelToken& cancel) { return run_policy_check(*words, cancel); });
  add_open_words(check, words->open);
}

}  // namespace kiln::cli

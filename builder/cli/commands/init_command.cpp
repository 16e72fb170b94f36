#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/count_of.hpp"
#include "base/error.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/build/fleet_plan.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/output/print_table.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/definitions/json_source.hpp"
#include "builder/definitions/load_fleet.hpp"
#include "builder/init/fleet_proposal.hpp"
#include "builder/init/new_service.hpp"
#include "builder/report/report_words.hpp"
#include "registry/store/layout.hpp"

namespace kiln::cli {

namespace {

struct InitWords {
  std::string folder = ".";
  bool dry_run = false;
  std::string name;
  std::string like;
};

std::string shown_from(const fs::path& root, const fs::path& path) {
  const std::string relative = path.lexically_relative(root).generic_string();
  return printable(relative);
}

void print_heading(std::string_view text) { print_text(fmt::format("\n{}\n", text)); }

void print_images(const init::FleetProposal& proposal) {
  if (proposal.images.empty()) {
    const std::string root = printable(display_path(proposal.root));
    if (proposal.dockerfiles == 0) {
      print_text(fmt::format("no Dockerfile was found in '{}'\n", root));
    } else {
      print_text(fmt::format(
          "no image can be made of the {} of '{}'; 'to know' below says why\n",
          proposal.dockerfiles == 1 ? "Dockerfile" : fmt::format("{} Dockerfiles", proposal.dockerfiles), root));
    }
    return;
  }
  print_text(fmt::format("{}, pushed to {} ({})\n", count_of(proposal.images.size(), "image"),
                         printable(proposal.registry), proposal.registry_reason));
  TextTable table({TextTable::Align::left, TextTable::Align::left, TextTable::Align::left}, 2);
  for (const init::ProposedImage& image : proposal.images) {
    std::string built;
    if (image.target.dockerfile) built = shown_from(proposal.root, *image.target.dockerfile);
    if (image.target.dockerfile_inline) built = "its Dockerfile in " + printable(image.origins.front());
    if (!image.target.stage.empty()) built += ", stage " + printable(image.target.stage);
    std::string from = image.is_defined ? "defined already"
                       : image.context_is_guess
                           ? fmt::format("context '{}' is a guess", shown_from(proposal.root, *image.target.context))
                       : image.target.context
                           ? fmt::format("context '{}' by {}", shown_from(proposal.root, *image.target.context),
                                         printable(image.origins.front()))
                           : "";
    if (image.context_is_guess && image.target.context == image.target.dockerfile->parent_path())
      from = "context: its folder";
    table.add({{"  " + image.name}, {built}, {from, TextStyle::dim}});
  }
  print_table(table);
}

void print_edges(const init::FleetProposal& proposal) {
  bool is_first = true;
  for (const init::ProposedImage& image : proposal.images) {
    for (const auto& [reference, parent] : image.edges) {
      if (is_first) print_heading("built from one another");
      is_first = false;
      print_text(fmt::format("  {} from {} ({})\n", image.name, parent, printable(reference)));
    }
  }
}

constexpr std::size_t kMostShownBytes = 90;  // of an instruction

void print_common_bases(const init::FleetProposal& proposal) {
  if (proposal.common_bases.empty()) return;
  print_heading("the same first steps, which could be a base image of their own");
  for (const init::CommonBase& base : proposal.common_bases) {
    print_text(fmt::format("  {}\n", join(base.images, ", ")));
    print_text(fmt::format("    FROM {}\n", printable(shortened(base.from, kMostShownBytes))));
    for (const std::string& step : base.steps)
      print_text(fmt::format("    {}\n", printable(shortened(step, kMostShownBytes))));
    if (!base.saved_bytes) {
      print_text("    saves: unknown until built\n");
    } else {
      print_text(fmt::format(
          "    saves {}{}\n", human_bytes(*base.saved_bytes),
          base.unknown_steps == 0 ? "" : fmt::format(" and what {} more of these steps make", base.unknown_steps)));
    }
  }
  print_text(
      "  Saved are the copies that docker makes of these layers where it builds each image by itself. kiln makes "
      "equal\n"
      "  steps once; a base keeps them equal when one of the Dockerfiles changes.\n");
}

void print_file(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  for (const std::string_view line : split(text, '\n')) print_text(fmt::format("  | {}\n", printable(line)));
}

// The schemas are the same everywhere and long.
bool is_schema(const init::NewFile& file) { return file.path.ends_with("schema.json"); }

void print_files(const init::FleetProposal& proposal, bool dry_run) {
  print_heading(dry_run ? "files that would be written" : "files");
  for (const init::NewFile& file : proposal.files) {
    const init::FileOutcome outcome =
        dry_run ? init::look_at_file(proposal.root, file) : init::write_new_file(proposal.root, file);
    switch (outcome) {
      case init::FileOutcome::absent:
        print_text(fmt::format("would be written  {}{}\n", file.path,
                               is_schema(file) ? "  (as 'kiln schema' prints it)" : ""));
        if (!is_schema(file)) print_file(file.text);
        break;
      case init::FileOutcome::written:
        print_text(fmt::format("written    {}\n", file.path));
        break;
      case init::FileOutcome::unchanged:
        print_text(fmt::format("unchanged  {}\n", file.path));
        break;
      case init::FileOutcome::kept:
        print_text(fmt::format("kept       {}  (it is there already and says something else)\n", file.path));
        break;
    }
  }
}

void print_next(const init::FleetProposal& proposal) {
  print_heading("what to do next");
  if (proposal.images.empty() && proposal.dockerfiles > 0) {
    print_text(
        "  mend what 'to know' says of the Dockerfiles and 'kiln init' again, or write images/NAME/image.json with "
        "\"dockerfile\"\n  and what it needs, such as \"args\"\n");
    return;
  }
  if (proposal.images.empty()) {
    print_text(
        "  write images/NAME/Dockerfile and images/NAME/image.json ({\"kind\": \"service\"}), or a Dockerfile "
        "anywhere and\n  'kiln init' again\n");
    return;
  }
  print_text("  kiln plan        what a bake would do, and why\n");
  print_text("  kiln baseline    now, before anything is changed: what the images weigh as they are\n");
  print_text("  kiln bake        builds all of them; 'kiln report' then compares\n");
  print_text("  kiln ci init     workflows that build what changed\n");
  print_text(fmt::format("  kiln init service NAME --like {}    one more service\n", proposal.images.front().name));
  print_text("What each key means: docs/reference/, or 'kiln schema image --markdown'.\n");
}

// Whether the fleet that is there now can be planned. Error{usage} with what is in the way.
void check_plan(const fs::path& root) {
  LoadFleetOptions options;
  options.working_directory = root;
  options.file = root / "images" / "fleet.json";
  options.environment = environment_variable;
  with_context([] { return std::string("so 'kiln plan' does not work yet; the files are written"); },
               [&] {
                 const Fleet fleet = load_fleet(options);
                 plan_fleet(fleet, all_targets(fleet), {"", "20000101", std::string("000000000000")});
               });
}

int run_init(const InitWords& words) {
  const BuildRecordStore records(HomeLayout::default_root() / "builds");
  const init::FleetProposal proposal = init::propose_fleet(words.folder, records);
  // Before anything is written: a file that cannot be stops all of them.
  for (const init::NewFile& file : proposal.files) init::look_at_file(proposal.root, file);
  print_images(proposal);
  print_edges(proposal);
  print_common_bases(proposal);
  print_files(proposal, words.dry_run);
  if (!proposal.notes.empty()) print_heading("to know");
  for (const std::string& note : proposal.notes) print_text(fmt::format("  {}\n", note));
  if (words.dry_run) return 0;
  check_plan(proposal.root);
  print_next(proposal);
  return 0;
}

int run_init_service(const InitWords& words) {
  if (words.like.empty()) {
    throw Error(Category::usage, "say which image the service is to be like: kiln init service NAME --like OTHER");
  }
  LoadFleetOptions options;
  options.working_directory = fs::absolute(words.folder).lexically_normal();
  options.environment = environment_variable;
  const Fleet fleet = load_fleet(options);
  if (fleet.front_end != FrontEnd::image_definitions) {
    throw Error(Category::usage,
                fmt::format("'{}' is no folder of image definitions; 'kiln init' makes one", display_path(fleet.file)));
  }
  const init::ServiceCopy copy = init::plan_service(fleet, words.name, words.like);
  const std::string verb = words.dry_run ? "would be written" : "written";
  if (!words.dry_run) init::write_service(copy);
  print_text(fmt::format("{}  {}\n", verb, printable(display_path(copy.to / "image.json"))));
  if (words.dry_run) print_file(copy.definition);
  for (const auto& file : copy.files)
    print_text(fmt::format("{}  {}\n", verb, printable(display_path(copy.to / file.path))));
  for (const std::string& note : copy.notes) print_text(fmt::format("note: {}\n", note));
  if (!words.dry_run) print_text(fmt::format("next: kiln plan {}\n", words.name));
  return 0;
}

}  // namespace

void add_init_command(Arguments& root) {
  const auto words = std::make_shared<InitWords>();
  Arguments& init = root.command("init", "Make a fleet of a repository's Dockerfiles, and leave those as they are.");
  init.option("-C,--directory", words->folder, "the repository (default: the working directory)")
      .flag("--dry-run", words->dry_run, "show what would be written, and write nothing")
      .handler([words](const CancelToken&) { return run_init(*words); });
  init.command("service", "Add a service to the fleet that is made like another one.")
      .required_positional("NAME", words->name, "what it is called")
      .option("--like", words->like, "the image that it is a copy of")
      .option("-C,--directory", words->folder, "the repository (default: the working directory)")
      .flag("--dry-run", words->dry_run, "show what would be written, and write nothing")
      .handler([words](const CancelToken&) { return run_init_service(*words); });
}

}  // namespace kiln::cli

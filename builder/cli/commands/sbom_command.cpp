#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/output_file.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/images/image_contents.hpp"
#include "builder/cli/output/print_table.hpp"
#include "builder/cli/version.hpp"
#include "builder/cli/words/output_files.hpp"
#include "builder/packages/package_json.hpp"
#include "builder/packages/sbom.hpp"

namespace kiln::cli {

namespace {

using nlohmann::json;

struct SbomWords {
  std::string reference;
  std::string format = "table";
  std::string output;
  std::string other;  // --diff
  OpenWords open;
  bool json = false;
  bool file_digests = false;
};

std::string sbom_format(const SbomWords& words) {
  const std::string format = words.json ? "json" : words.format;
  const std::vector<std::string> formats = words.other.empty()
                                               ? std::vector<std::string>{"table", "json", "spdx", "cyclonedx"}
                                               : std::vector<std::string>{"table", "json"};
  if (std::find(formats.begin(), formats.end(), format) != formats.end()) return format;
  throw Error(Category::usage, fmt::format("{} format '{}'{}", words.other.empty() ? "unknown" : "--diff has no",
                                           printable(format), suggestion(format, formats)));
}

FileList files_of(const SbomWords& words, const std::string& format) {
  if (!words.file_digests) return FileList::none;
  if (!words.other.empty()) throw Error(Category::usage, "--file-digests and --diff exclude one another");
  if (format == "table")
    throw Error(Category::usage,
                "--file-digests: a table has no room for files; take --format spdx, cyclonedx or json");
  return FileList::all;
}

// SOURCE_DATE_EPOCH, else what the image says.
UnixSeconds time_of_bill(const oci::ImageConfig& config) {
  if (const auto text = environment_variable("SOURCE_DATE_EPOCH"); text && !text->empty()) {
    const auto seconds = parse_unsigned(*text);
    if (!seconds || *seconds > static_cast<std::uint64_t>(kLastRfc3339Second))
      throw Error(Category::usage, fmt::format("SOURCE_DATE_EPOCH '{}' is not a number of seconds", printable(*text)));
    return static_cast<UnixSeconds>(*seconds);
  }
  return stated_creation(config);
}

SbomSubject subject_of(const OpenedImage& image) {
  SbomSubject subject;
  const oci::Reference reference = oci::Reference::parse(image.name);
  subject.name = image.name;
  subject.repository = reference.name();
  subject.tag = reference.digest ? reference.tag.value_or("") : reference.tag_or_latest();
  subject.manifest = image.manifest.digest;
  subject.platform = image.config.platform;
  subject.created = time_of_bill(image.config);
  subject.tool_version = kVersion;
  return subject;
}

TextTable table_of(const ImagePackages& packages) {
  using Align = TextTable::Align;
  TextTable table({Align::left, Align::left, Align::left, Align::left, Align::left}, 4);
  table.add({{"PACKAGE", TextStyle::bold},
             {"VERSION", TextStyle::bold},
             {"TYPE", TextStyle::bold},
             {"LICENCE", TextStyle::bold},
             {"FROM", TextStyle::bold}});
  for (const Package& package : packages.packages) {
    std::string licence = package.stated.licence;
    if (licence.size() > 40) licence = printable(licence.substr(0, 37)) + "...";
    const PackageLayer& layer = packages.layers.at(package.layer);
    table.add({{package.stated.name},
               {package.stated.version},
               {std::string(to_string(package.stated.ecosystem))},
               {licence},
               {layer.created_by.empty() ? layer.diff_id.short_hex() : printable(layer.created_by)}});
  }
  return table;
}

TextTable table_of(const std::vector<PackageChange>& changes) {
  using Align = TextTable::Align;
  TextTable table({Align::left, Align::left, Align::left, Align::left, Align::left}, 1);
  table.add({{" ", TextStyle::bold},
             {"PACKAGE", TextStyle::bold},
             {"BEFORE", TextStyle::bold},
             {"AFTER", TextStyle::bold},
             {"TYPE", TextStyle::bold}});
  for (const PackageChange& change : changes) {
    const bool is_added = change.kind == PackageChange::Kind::added;
    const bool is_removed = change.kind == PackageChange::Kind::removed;
    table.add({{is_added     ? "+"
                : is_removed ? "-"
                             : "~"},
               {change.name},
               {is_added ? "-" : join(change.before, ", ")},
               {is_removed ? "-" : join(change.after, ", ")},
               {std::string(to_string(change.ecosystem))}});
  }
  return table;
}

// Prints what was asked for, or writes it into the file of --output.
void give_out(const SbomWords& words, const std::string& text) {
  if (words.output.empty()) {
    fmt::print("{}", text);
  } else {
    write_output_file(words.output, text);
  }
}

void give_out(const SbomWords& words, const TextTable& table) {
  constexpr std::size_t kUncutWidth = 100'000;
  if (words.output.empty()) {
    print_table(table);
  } else {
    write_output_file(words.output, table.render(kUncutWidth, 0, Colour::no));
  }
}

std::string text_of(const json& document) { return visible_json(json_text(document, JsonLayout::indented)) + "\n"; }

json name_of(const OpenedImage& image) { return {{"name", image.name}, {"digest", image.manifest.digest.str()}}; }

int run_sbom(const SbomWords& words, const CancelToken& cancel) {
  const std::string format = sbom_format(words);
  const FileList files = files_of(words, format);
  if (!words.output.empty()) refuse_unwritable(words.output, "--output");
  RegistrySession session(words.open.progress, words.open.quiet, cancel);
  ThreadPool pool;
  const OpenedImage image = open_image(session, pool, words.reference, words.open, cancel);
  const ImagePackages packages = read_packages(session, pool, image, cancel, files);
  if (words.other.empty()) {
    session.end_progress();
    warn_of_notes(image.name, packages);
    if (format == "spdx") give_out(words, spdx_json(subject_of(image), packages));
    if (format == "cyclonedx") give_out(words, cyclonedx_json(subject_of(image), packages));
    if (format == "table") give_out(words, table_of(packages));
    if (format == "json") {
      json document = to_json(packages);
      document["image"] = name_of(image);
      give_out(words, text_of(document));
    }
    return 0;
  }
  const OpenedImage other = open_image(session, pool, words.other, words.open, cancel);
  const ImagePackages before = read_packages(session, pool, other, cancel);
  session.end_progress();
  warn_of_notes(other.name, before);
  warn_of_notes(image.name, packages);
  const std::vector<PackageChange> changes = package_changes(before, packages);
  if (format == "json") {
    give_out(words, text_of({{"before", name_of(other)}, {"after", name_of(image)}, {"changes", to_json(changes)}}));
  } else if (changes.empty()) {
    give_out(words, std::string("no difference\n"));
  } else {
    give_out(words, table_of(changes));
  }
  return 0;
}

}  // namespace

void add_sbom_command(Arguments& root) {
  const auto words = std::make_shared<SbomWords>();
  Arguments& sbom = root.command("sbom", "List the packages of an image, as a table, SPDX or CycloneDX.");
  sbom.required_positional("REF", words->reference, "the image")
      .option("--format", words->format, "table, json, spdx (2.3) or cyclonedx (1.6)")
      .option("-o,--output", words->output, "write to this file, at once or not at all")
      .flag("--file-digests", words->file_digests, "list every file with its sha256 too, each in its package")
      .option("--diff", words->other, "show what REF has more, less and in other versions than this image")
      .flag("--json", words->json, "as --format json")
      .handler([words](const CancelToken& cancel) { return run_sbom(*words, cancel); });
  add_open_words(sbom, words->open);
}

}  // namespace kiln::cli

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <set>

#include "base/output_file.hpp"
#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/images/published_report.hpp"
#include "builder/cli/output/print_report.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/words/output_files.hpp"
#include "builder/definitions/byte_size.hpp"
#include "builder/report/gate.hpp"
#include "builder/report/layer_packages.hpp"
#include "builder/report/look_into_images.hpp"
#include "builder/report/report_comparison.hpp"
#include "builder/report/report_html.hpp"
#include "builder/report/report_json.hpp"
#include "builder/report/report_markdown.hpp"
#include "builder/report/report_prometheus.hpp"
#include "builder/report/report_store.hpp"
#include "builder/report/report_text.hpp"
#include "registry/store/layout.hpp"

namespace kiln::cli {

namespace {

// How many builds the trend looks back.
constexpr std::size_t kTrend = 30;

struct ReportWords {
  std::string file;
  std::optional<std::string> format;
  std::string output;
  std::optional<std::string> fail_under;
  std::string against;
  std::optional<std::string> fail_over;
  PublishedWords fleet;
  bool brief = false;
  bool json = false;
};

std::set<std::string> names_of(const BuildReport& report) {
  std::set<std::string> names;
  for (const ReportImage& image : report.images) names.insert(image.name + " " + image.profile);
  return names;
}

BuildReport find_report(const std::string& file, const HomeLayout& home, const ReportStore& reports) {
  if (!file.empty()) return read_report(file);
  const auto latest = reports.latest();
  if (!latest)
    throw Error(Category::usage,
                fmt::format("there is no report in '{}' yet; a build leaves one", home.reports().native()));
  return *latest;
}

// The builds of the same images before this one, oldest first.
std::vector<BuildReport> earlier_builds(const BuildReport& report, const ReportStore& reports) {
  std::vector<BuildReport> result;
  const std::vector<fs::path> files = reports.list();
  const std::set<std::string> names = names_of(report);
  for (auto file = files.rbegin(); file != files.rend() && result.size() < kTrend; ++file) {
    std::optional<BuildReport> read;
    try {
      read = read_report(*file);
    } catch (const Error& error) {
      // It is damaged, or another build has removed it meanwhile.
      StderrLog().warn(fmt::format("an earlier build is left out: {}", error.message()));
      continue;
    }
    BuildReport& earlier = *read;
    const bool is_this_one = earlier.created == report.created && earlier.seconds == report.seconds;
    if (earlier.created <= report.created && !is_this_one && names_of(earlier) == names)
      result.push_back(std::move(earlier));
  }
  std::reverse(result.begin(), result.end());
  return result;
}

// "growth=2%", "growth=10MB".
GrowthLimit parse_growth_limit(std::string_view text) {
  constexpr std::string_view kName = "growth=";
  const auto refuse = [&] {
    return Error(Category::usage,
                 fmt::format("--fail-over '{}': expected 'growth=2%' or 'growth=10MB'", printable(text)));
  };
  if (!text.starts_with(kName)) throw refuse();
  std::string_view value = text.substr(kName.size());
  GrowthLimit limit;
  if (!value.ends_with('%')) {
    limit.bytes = parse_byte_size(value);
    if (!limit.bytes) throw refuse();
    return limit;
  }
  value.remove_suffix(1);
  double pct = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), pct);
  if (error != std::errc() || end != value.data() + value.size() || !(pct >= 0) || !std::isfinite(pct)) throw refuse();
  limit.pct = pct;
  return limit;
}

// A comment at GitHub has room for 65,536 characters, and may have to hold those of two machines.
ReportMarkdownOptions markdown_options(bool is_brief) {
  ReportMarkdownOptions options;
  options.is_brief = is_brief;
  if (is_brief) options.most_bytes = 30'000;
  return options;
}

// What --against names.
ReportComparison compared_with(const ReportWords& words, const BuildReport& report, const LayerSources& sources,
                               ThreadPool& pool, const CancelToken& cancel) {
  if (!names_published_images(words.against)) return compare_reports(read_report(words.against), report, sources);
  RegistrySession session(std::nullopt, true, cancel);
  const BuildReport published = published_report(session, pool, words.fleet, words.against, report, cancel);
  ReportComparison comparison = compare_reports(published, report, sources);
  comparison.before = fmt::format("'{}'", printable(words.against));
  return comparison;
}

int run_report(const ReportWords& words, const CancelToken& cancel) {
  const std::string format = words.json ? "json" : words.format.value_or(words.against.empty() ? "text" : "markdown");
  const std::vector<std::string> formats = {"text", "json", "markdown", "prometheus", "html"};
  if (std::find(formats.begin(), formats.end(), format) == formats.end()) {
    throw Error(Category::usage, fmt::format("unknown format '{}'{}", printable(format), suggestion(format, formats)));
  }
  if (words.json && words.format && *words.format != "json")
    throw Error(Category::usage,
                fmt::format("--json is --format json, and --format {} another", printable(*words.format)));
  if (words.against.empty() && (words.fleet.file || !words.fleet.registry.empty()))
    throw Error(Category::usage, "--file and --registry say where what --against names is; give --against too");
  const GateLimits limits = words.fail_under ? parse_gate_limits(*words.fail_under) : GateLimits{};
  const std::optional<GrowthLimit> growth =
      words.fail_over ? std::optional(parse_growth_limit(*words.fail_over)) : std::nullopt;
  if (growth && words.against.empty())
    throw Error(Category::usage, "--fail-over needs --against: growth is from one report to another");
  const bool shows_comparison = format == "markdown" || format == "html";
  if (!words.against.empty() && !shows_comparison && !growth)
    throw Error(Category::usage,
                fmt::format("--against: the format '{}' shows no comparison; use markdown or html", format));
  if (!words.output.empty()) refuse_unwritable(words.output, "--output");
  if (words.brief && (format != "markdown" || words.against.empty()))
    throw Error(Category::usage, "--brief is the comparison alone: it needs --against and --format markdown");
  const HomeLayout home = HomeLayout::open(HomeLayout::default_root());
  const ReportStore reports(home.reports(), home.locks() / "reports");
  BuildReport report = find_report(words.file, home, reports);
  const ContentStore store(home);
  IndexCache indexes(store);
  const auto index_of = [&](const oci::Digest& diff_id) { return indexes.find(diff_id); };
  look_into_images(report, index_of);
  ThreadPool pool;
  LayerPackages packages(store, indexes, pool, cancel);
  const LayerSources sources{index_of,
                             [&](const ReportImage& image, std::size_t layer) { return packages.find(image, layer); }};
  std::vector<GateFailure> failures = failed_gates(report, limits);

  ReportDocument document(report);
  if (!words.against.empty()) {
    document.comparison = compared_with(words, report, sources, pool, cancel);
    if (growth) {
      for (GateFailure& failure : failed_growth(*document.comparison, *growth)) failures.push_back(std::move(failure));
    }
  }
  std::string text;
  if (format == "json") text = to_json_text(report);
  if (format == "markdown") text = report_markdown(document, failures, markdown_options(words.brief));
  if (format == "prometheus") text = report_prometheus(document);
  if (format == "html") text = report_html(document, earlier_builds(report, reports), failures, sources);
  if (format == "text" && !words.output.empty()) text = report_text(document);
  if (!words.output.empty()) {
    write_output_file(words.output, text);
  } else if (format == "text") {
    print_report(report, ReportLength::whole);
  } else {
    fmt::print("{}", format == "json" ? visible_json(text) : text);
  }
  refuse_failed_gates(failures);
  return 0;
}

}  // namespace

void add_report_command(Arguments& root) {
  const auto words = std::make_shared<ReportWords>();
  Arguments& command =
      root.command("report", "Print the report of the last build again, or make another format of it.");
  command.positional("FILE", words->file, "a report that --report wrote (default: the last one)")
      .option("--format", words->format,
              "text, json, markdown, prometheus or html (default: text; with --against markdown)")
      .option("-o,--output", words->output, "write to this file, at once or not at all")
      .option("--fail-under", words->fail_under, "reduction=PCT,cache=PCT: exit 1 where the build did not reach it")
      .option(
          "--against", words->against,
          "markdown and html: what grew since this report, a file that --report wrote, or since what a registry has "
          "as :TAG (the fleet's repositories) or HOST/NAMESPACE/{image}:TAG")
      .option("--fail-over", words->fail_over, "growth=PCT%|BYTES: exit 1 where an image or the store grew by more")
      .flag("--brief", words->brief, "markdown: what failed and grew alone, for a comment (below 30 kB)")
      .flag("--json", words->json, "as --format json")
      .handler([words](const CancelToken& cancel) { return run_report(*words, cancel); });
  add_published_words(command, words->fleet);
}

}  // namespace kiln::cli

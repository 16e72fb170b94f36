#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <set>

#include "base/atomic_file.hpp"
#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/output/print_report.hpp"
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
  std::string format = "text";
  std::string output;
  std::optional<std::string> fail_under;
  std::string against;
  std::optional<std::string> fail_over;
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
    BuildReport earlier = read_report(*file);
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
  if (error != std::errc() || end != value.data() + value.size() || !(pct >= 0)) throw refuse();
  limit.pct = pct;
  return limit;
}

int run_report(const ReportWords& words, const CancelToken& cancel) {
  const std::string format = words.json ? "json" : words.format;
  const std::vector<std::string> formats = {"text", "json", "markdown", "prometheus", "html"};
  if (std::find(formats.begin(), formats.end(), format) == formats.end()) {
    throw Error(Category::usage, fmt::format("unknown format '{}'{}", printable(format), suggestion(format, formats)));
  }
  const GateLimits limits = words.fail_under ? parse_gate_limits(*words.fail_under) : GateLimits{};
  const std::optional<GrowthLimit> growth =
      words.fail_over ? std::optional(parse_growth_limit(*words.fail_over)) : std::nullopt;
  if (growth && words.against.empty())
    throw Error(Category::usage, "--fail-over needs --against: growth is from one report to another");
  const bool shows_comparison = format == "markdown" || format == "html";
  if (!words.against.empty() && !shows_comparison && !growth)
    throw Error(Category::usage,
                fmt::format("--against: the format '{}' shows no comparison; use markdown or html", format));
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
    document.comparison = compare_reports(read_report(words.against), report, sources);
    if (growth) {
      for (GateFailure& failure : failed_growth(*document.comparison, *growth)) failures.push_back(std::move(failure));
    }
  }
  std::string text;
  if (format == "json") text = to_json_text(report);
  if (format == "markdown") text = report_markdown(document, failures);
  if (format == "prometheus") text = report_prometheus(document);
  if (format == "html") text = report_html(document, earlier_builds(report, reports), failures, sources);
  if (format == "text" && !words.output.empty()) text = report_text(document);
  if (!words.output.empty()) {
    write_file_atomically(words.output, text);
  } else if (format == "text") {
    print_report(report, ReportLength::whole);
  } else {
    fmt::print("{}", text);
  }
  refuse_failed_gates(failures);
  return 0;
}

}  // namespace

void add_report_command(Arguments& root) {
  const auto words = std::make_shared<ReportWords>();
  root.command("report", "Print the report of the last build again, or make another format of it.")
      .positional("FILE", words->file, "a report that --report wrote (default: the last one)")
      .option("--format", words->format, "text, json, markdown, prometheus or html")
      .option("-o,--output", words->output, "write to this file, at once or not at all")
      .option("--fail-under", words->fail_under, "reduction=PCT,cache=PCT: exit 1 where the build did not reach it")
      .option("--against", words->against, "markdown and html: what grew since this report, a file that --report wrote")
      .option("--fail-over", words->fail_over, "growth=PCT%|BYTES: exit 1 where an image or the store grew by more")
      .flag("--json", words->json, "as --format json")
      .handler([words](const CancelToken& cancel) { return run_report(*words, cancel); });
}

}  // namespace kiln::cli

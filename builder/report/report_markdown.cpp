#include "builder/report/report_markdown.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/count_of.hpp"
#include "base/text.hpp"
#include "builder/report/network_sums.hpp"
#include "builder/report/report_words.hpp"

namespace kiln {

namespace {

// Text that came from outside, as plain words in a table's cell.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '@':
        result += "&#64;";
        break;  // else GitHub notifies who is called so
      case '#':
        result += "&#35;";
        break;  // else GitHub links an issue
      case '\\':
      case '`':
      case '*':
      case '_':
      case '[':
      case ']':
      case '|':
      case '~':
      case '!':
        result += '\\';
        [[fallthrough]];
      default:
        result += c;
    }
  }
  return result;
}

class Writer {
 public:
  Writer(const ReportDocument& document, const std::vector<GateFailure>& failures, const ReportMarkdownOptions& options)
      : document_(document), report_(document.report), failures_(failures), options_(options) {}

  std::string write() {
    out_ += "## kiln\n\n";
    gates();
    comparison();
    policy();
    if (options_.is_brief) return std::move(out_);
    figures();
    images();
    reductions();
    misses();
    network();
    waste();
    return std::move(out_);
  }

 private:
  void table(std::string_view title, std::string_view header, std::string_view columns, std::size_t count,
             const std::function<std::string(std::size_t)>& row) {
    if (count == 0) return;
    if (!title.empty()) out_ += fmt::format("\n### {}\n\n", title);
    out_ += fmt::format("{}\n{}\n", header, columns);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string line = row(i);
      // Room for saying how much is left out, here and in the tables after this one.
      constexpr std::size_t kReserve = 2048;
      if (out_.size() + line.size() + kReserve > options_.most_bytes) {
        out_ += fmt::format("\n{} more left out; `kiln report` has them.\n", count - i);
        return;
      }
      out_ += line + "\n";
    }
  }

  void gates() {
    for (const GateFailure& failure : failures_) {
      out_ += fmt::format("> [!CAUTION]\n> {}\n", escaped(failure.message));
      if (!failure.file.empty())
        out_ += fmt::format("> {}: {}\n", escaped(shown_place(failure.file, failure.line)),
                            escaped(shown_instruction(failure.text)));
      out_ += '\n';
    }
  }

  void policy() {
    const std::vector<PolicyFinding>& all = report_.policy;
    table("Policy", "| level | rule | line | what breaks it | what would satisfy it |", "|---|---|---|---|---|",
          all.size(), [&](std::size_t i) {
            return fmt::format("| {} | {} | {} | {} | {} |", to_string(all[i].level), escaped(all[i].rule),
                               escaped(shown_place(all[i].place.file, all[i].place.line)), escaped(all[i].message),
                               escaped(all[i].fix));
          });
  }

  // First, since it is what a pull request is read for.
  void comparison() {
    if (!document_.comparison) return;
    const ReportComparison& found = *document_.comparison;
    const auto growth_of = [](std::uint64_t before, std::uint64_t now) {
      return shown_growth(static_cast<std::int64_t>(now) - static_cast<std::int64_t>(before));
    };
    if (found.before_images == 0) {
      out_ += fmt::format("There is nothing to compare with: no images in {}.\n\n", escaped(found.before));
      return;
    }
    out_ += fmt::format(
        "Stored {}, {} before: **{}**. A machine that has all images of {} pulls {}. {} have the same layers.\n",
        human_bytes(found.now_bytes), human_bytes(found.before_bytes), growth_of(found.before_bytes, found.now_bytes),
        escaped(found.before), human_bytes(found.update_bytes), count_of(found.same_images, "image"));
    table("Images that changed", "| image | before | now | grew by | an update pulls |", "|---|---:|---:|---:|---:|",
          found.images.size(), [&](std::size_t i) {
            const ImageChange& image = found.images[i];
            return fmt::format("| {} | {} | {} | {} | {} |", escaped(image.name),
                               image.before ? human_bytes(*image.before) : "none",
                               image.now ? human_bytes(*image.now) : "gone", shown_growth(image.growth()),
                               human_bytes(image.update_bytes));
          });
    // A line of a base is one of each image on it, and is told once.
    struct Row {
      const LineChange* line;
      std::vector<std::string> images;
    };
    std::vector<Row> rows;
    for (const ImageChange& image : found.images) {
      for (const LineChange& line : image.lines) {
        const auto same = std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return *row.line == line; });
        (same == rows.end() ? rows.emplace_back(Row{&line, {}}) : *same).images.push_back(image.name);
      }
    }
    table("Lines that changed", "| grew by | image | line | instruction |", "|---:|---|---|---|", rows.size(),
          [&](std::size_t i) {
            const LineChange& line = *rows[i].line;
            return fmt::format("| {} | {} | {} | {}{} |", growth_of(line.before, line.now),
                               escaped(some_of(rows[i].images)), escaped(line.place), escaped(line.text),
                               line.was.empty() ? "" : ", was " + escaped(line.was));
          });
    table("Packages that changed", "| grew by, unpacked | package | before | now |", "|---:|---|---|---|",
          found.packages.size(), [&](std::size_t i) {
            const PackageGrowth& package = found.packages[i];
            return fmt::format("| {} | {} | {} | {} |", shown_growth(package.growth), escaped(package.name),
                               escaped(join(package.before, ", ")), escaped(join(package.now, ", ")));
          });
    if (found.unknown_layers > 0)
      out_ += fmt::format("\nPackages of {} that changed are not known here; those of their images are left out.\n",
                          count_of(found.unknown_layers, "layer"));
    out_ += '\n';
  }

  void figures() {
    const std::vector<Figure>& all = document_.figures;
    // Columns that say nothing where no definition sets a target.
    const bool has_targets =
        std::any_of(all.begin(), all.end(), [](const Figure& figure) { return !figure.target.empty(); });
    table("", has_targets ? "| figure | value | target | |" : "| figure | value |",
          has_targets ? "|---|---:|---|---|" : "|---|---:|", all.size(), [&](std::size_t i) {
            const Figure& figure = all[i];
            if (!has_targets) return fmt::format("| {} | {} |", figure.name, figure.value);
            return fmt::format("| {} | {} | {} | {} |", figure.name, figure.value, figure.target,
                               figure.target.empty() ? ""
                               : !figure.met         ? "not measured"
                               : *figure.met         ? ":white_check_mark:"
                                                     : ":x:");
          });
    out_ += fmt::format("\nPushed {}, pulled {}, mounted {}.\n", human_bytes(report_.wire.pushed_bytes),
                        human_bytes(report_.wire.pulled_bytes), human_bytes(report_.wire.mounted_bytes));
  }

  void images() {
    table("Images", "| image | compressed | unpacked | of its own | shared | before | reduction | digest |",
          "|---|---:|---:|---:|---:|---:|---:|---|", report_.images.size(), [&](std::size_t i) {
            const ReportImage& image = report_.images[i];
            return fmt::format("| {} | {} | {} | {} | {} | {} | {} | `{}` |", escaped(shown_name(image)),
                               human_bytes(image.compressed_bytes), human_bytes(image.unpacked_bytes),
                               human_bytes(image.unique_bytes), human_bytes(image.shared_bytes),
                               image.baseline ? human_bytes(image.baseline->compressed_bytes) : "-",
                               shown_percent(image.reduction_pct), image.digest.short_hex());
          });
    for (const ReportSharing& sharing : report_.sharing) out_ += fmt::format("\n{}.\n", escaped(sharing.text()));
  }

  void reductions() {
    std::vector<Reduction> all = document_.reductions;
    std::erase_if(all, [](const Reduction& reduction) { return reduction.causes.empty() && reduction.rest.empty(); });
    std::string header = "| in percent of before | less | unpacked |";
    std::string columns = "|---|---:|---:|";
    constexpr Cause kCauses[] = {Cause::base,     Cause::build_tools, Cause::caches,     Cause::duplicates,
                                 Cause::packages, Cause::sharing,     Cause::compression};
    for (const Cause cause : kCauses) {
      header += fmt::format(" {} |", shown_cause(cause));
      columns += "---:|";
    }
    table("Reduction by cause", header + " what stands in the way |", columns + "---|", all.size(), [&](std::size_t i) {
      const Reduction& reduction = all[i];
      std::string row = fmt::format("| {} | {} | {} |", escaped(reduction.name), shown_percent(reduction.pct),
                                    shown_percent(reduction.unpacked_pct));
      for (const Cause cause : kCauses) {
        const auto share = std::find_if(reduction.causes.begin(), reduction.causes.end(),
                                        [&](const Reduction::Share& one) { return one.cause.cause == cause; });
        row += fmt::format(" {} |", share == reduction.causes.end() ? "" : shown_percent(share->pct));
      }
      return row + fmt::format(" {} |", escaped(reduction.rest));
    });
  }

  void misses() {
    const std::vector<const ReportStep*>& missed = document_.steps.misses;
    table("Steps that were not in the cache", "| image | line | step | why | took |", "|---|---|---|---|---:|",
          missed.size(), [&](std::size_t i) {
            const ReportStep& step = *missed[i];
            return fmt::format("| {} | {} | {} | {}{} | {} |", escaped(step.image),
                               escaped(shown_place(step.file, step.line)), escaped(shown_instruction(step.text)),
                               step.outcome == StepOutcome::failed ? "failed: " : "",
                               escaped(shown_reason(step.reason)), human_seconds(step.seconds));
          });
  }

  void network() {
    const std::vector<NetworkSum> sums = network_sums(report_);
    if (sums.empty()) return;
    table("Network of RUN: " + network_summary(report_), "| line | step | fetched |", "|---|---|---|", sums.size(),
          [&](std::size_t i) {
            const ReportStep& step = *sums[i].step;
            return fmt::format("| {} | {} | {} |", escaped(shown_place(step.file, step.line)),
                               escaped(shown_instruction(step.text)), sums[i].words);
          });
  }

  void waste() {
    const std::vector<FleetWaste>& all = document_.waste;
    table("Waste, unpacked", "| bytes | kind | line | in | example | what helps |", "|---:|---|---|---|---|---|",
          all.size(), [&](std::size_t i) {
            const FleetWaste& entry = all[i];
            return fmt::format("| {} | {} | {} | {} | /{} | {} |", human_bytes(entry.waste.bytes),
                               to_string(entry.waste.kind), escaped(shown_place(entry.layer->file, entry.layer->line)),
                               escaped(some_of(entry.images)), escaped(entry.waste.example),
                               escaped(entry.waste.advice));
          });
  }

  const ReportDocument& document_;
  const BuildReport& report_;
  const std::vector<GateFailure>& failures_;
  const ReportMarkdownOptions& options_;
  std::string out_;
};

}  // namespace

std::string report_markdown(const ReportDocument& document, const std::vector<GateFailure>& failures,
                            const ReportMarkdownOptions& options) {
  return Writer(document, failures, options).write();
}

}  // namespace kiln

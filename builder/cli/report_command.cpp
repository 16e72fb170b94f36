#include <fmt/format.h>

#include <memory>

#include "builder/cli/commands.hpp"
#include "builder/cli/print_report.hpp"
#include "builder/report/report_store.hpp"
#include "registry/store/layout.hpp"

namespace kiln::cli {

namespace {

BuildReport find_report(const std::string& file) {
  if (!file.empty()) return read_report(file);
  const HomeLayout home = HomeLayout::open(HomeLayout::default_root());
  const auto latest = ReportStore(home.reports(), home.locks() / "reports").latest();
  if (!latest) throw Error(Category::usage, fmt::format("there is no report in '{}' yet; a build leaves one", home.reports().native()));
  return *latest;
}

}  // namespace

void add_report_command(Arguments& root) {
  const auto file = std::make_shared<std::string>();
  const auto json = std::make_shared<bool>(false);
  root.command("report", "Print the report of the last build again.")
      .positional("FILE", *file, "a report that --report wrote (default: the last one)")
      .flag("--json", *json, "as JSON")
      .handler([file, json](const CancelToken&) {
        const BuildReport report = find_report(*file);
        if (*json) {
          fmt::print("{}", to_json_text(report));
        } else {
          print_report(report);
        }
        return 0;
      });
}

}  // namespace kiln::cli

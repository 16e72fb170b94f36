#include "builder/cli/print_report.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/process.hpp"
#include "builder/report/report_text.hpp"
#include "builder/report/report_words.hpp"

namespace kiln::cli {

void refuse_failed_gates(const std::vector<GateFailure>& failures) {
  if (failures.empty()) return;
  const auto told = [](const GateFailure& failure) {
    const std::string place = shown_place(failure.file, failure.line);
    return place.empty() ? failure.message : fmt::format("{}: {}", place, failure.message);
  };
  Error error(Category::build, told(failures.front()));
  std::string rest;
  for (std::size_t i = 1; i < failures.size(); ++i) rest += (i > 1 ? "\n" : "") + told(failures[i]);
  error.set_detail(rest);
  throw error;
}

void print_report(const BuildReport& report) {
  ReportTextOptions options;
  winsize size{};
  const bool is_terminal = ::isatty(STDOUT_FILENO) == 1;
  if (is_terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) options.width = size.ws_col;
  const bool no_colour = !environment_variable("NO_COLOR").value_or("").empty();
  if (is_terminal && !no_colour) options.colour = Colour::yes;
  fmt::print("{}", report_text(ReportDocument(report), options));
}

}  // namespace kiln::cli

#include "builder/cli/output/print_report.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/process.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/report/report_text.hpp"
#include "builder/report/report_words.hpp"

namespace kiln::cli {

namespace {
constexpr std::size_t kMostImagesOfALog = 12;
}

void print_report(const BuildReport& report, ReportLength length) {
  ReportTextOptions options;
  if (length == ReportLength::of_a_log) options.most_images = kMostImagesOfALog;
  winsize size{};
  const bool is_terminal = ::isatty(STDOUT_FILENO) == 1;
  if (is_terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) options.width = size.ws_col;
  const bool no_colour = !environment_variable("NO_COLOR").value_or("").empty();
  if (is_terminal && !no_colour) options.colour = Colour::yes;
  print_text(report_text(ReportDocument(report), options));
}

}  // namespace kiln::cli

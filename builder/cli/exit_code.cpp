#include "builder/cli/exit_code.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/credentials.hpp"
#include "base/process.hpp"
#include "base/stop_signal.hpp"
#include "base/text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/progress/log_folds.hpp"

namespace kiln::cli {

namespace {

// What the signal handler may touch; the token's state lives as long as the process.
const CancelToken* handled_token = nullptr;

void on_signal(int number) {
  if (handled_token->is_cancelled()) ::_exit(128 + number);
  handled_token->cancel(number);
  note_stop_signal(number);
}

// Any word may be a URL by mistake, and messages repeat words. They repeat what a command printed and what a Dockerfile
// says, too, from which neither a terminal nor a CI service is to take an order.
std::string harmless(const std::string& text) {
  const std::string shown = visible_lines(without_url_credentials(text));
  std::vector<std::string> lines;
  for (const std::string_view line : split(shown, '\n')) lines.push_back(readable_line(line));
  return join(lines, "\n");
}

}  // namespace

int exit_code_of(Category category, const CancelToken& cancel) {
  switch (category) {
    case Category::build:
      return 1;
    case Category::usage:
      return 2;
    case Category::network:
      return 3;
    case Category::machine:
      return 4;
    case Category::cancelled:
      return 128 + (cancel.is_cancelled() ? cancel.signal_number() : SIGINT);
  }
  return 4;
}

std::string error_text(const Error& error) {
  std::string text = fmt::format("error: {}\n{}", harmless(error.message()), harmless(error.detail()));
  if (!text.ends_with('\n')) text += '\n';
  return text;
}

int report_error(const Error& error, const CancelToken& cancel) {
  if (cancel.is_cancelled()) {
    std::fprintf(stderr, "stopped by signal %d; what was finished is kept\n", cancel.signal_number());
    return exit_code_of(Category::cancelled, cancel);
  }
  std::fflush(stdout);
  fmt::print(stderr, "{}", error_text(error));
  return exit_code_of(error.category(), cancel);
}

void install_signal_handlers(const CancelToken& cancel) {
  static CancelToken kept = cancel;
  handled_token = &kept;
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

}  // namespace kiln::cli

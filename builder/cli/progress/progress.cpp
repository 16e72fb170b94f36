#include "builder/cli/progress/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "builder/cli/progress/plain_progress.hpp"
#include "builder/cli/progress/quiet_progress.hpp"
#include "builder/cli/progress/raw_json_progress.hpp"
#include "builder/cli/progress/tty_progress.hpp"
#include "builder/cli/progress/verbose_progress.hpp"

namespace kiln {

namespace {

constexpr std::array<std::pair<std::string_view, ProgressMode>, 6> kModes = {{
    {"auto", ProgressMode::automatic},
    {"tty", ProgressMode::tty},
    {"plain", ProgressMode::plain},
    {"verbose", ProgressMode::verbose},
    {"quiet", ProgressMode::quiet},
    {"rawjson", ProgressMode::rawjson},
}};

ProgressMode mode_of(std::string_view word, std::string_view source) {
  std::vector<std::string> names;
  for (const auto& [name, mode] : kModes) {
    if (name == word) return mode;
    names.emplace_back(name);
  }
  throw Error(Category::usage,
              fmt::format("unknown progress mode '{}' in {}{}", printable(word), source, suggestion(word, names)));
}

TerminalSize size_of_terminal(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

}  // namespace

ProgressMode parse_progress_mode(std::optional<std::string_view> flag, const char* environment) {
  if (flag && *flag != "auto") return mode_of(*flag, "--progress");
  if (environment != nullptr && *environment != '\0') return mode_of(environment, "BUILDKIT_PROGRESS");
  return ProgressMode::automatic;
}

std::unique_ptr<BuildObserver> make_progress(const ProgressOptions& options) {
  const ProgressClock clock = options.clock ? options.clock : ProgressClock(monotonic_seconds);
  const bool is_terminal = ::isatty(options.fd) == 1;
  ProgressMode mode = options.mode;
  if (mode == ProgressMode::automatic) mode = is_terminal ? ProgressMode::tty : ProgressMode::plain;
  switch (mode) {
    case ProgressMode::automatic:
    case ProgressMode::plain: {
      PlainProgress::Options plain;
      plain.debug = options.show_debug ? PlainProgress::Debug::show : PlainProgress::Debug::hide;
      plain.ticks = options.clock ? PlainProgress::Ticks::by_events : PlainProgress::Ticks::by_thread;
      plain.folds = options.folds;
      return std::make_unique<PlainProgress>(options.fd, clock, std::move(plain));
    }
    case ProgressMode::verbose:
      return std::make_unique<VerboseProgress>(
          options.fd, clock, options.show_debug ? VerboseProgress::Debug::show : VerboseProgress::Debug::hide,
          options.folds);
    case ProgressMode::tty: {
      if (!is_terminal) {
        throw Error(Category::usage,
                    "the progress mode 'tty' needs a terminal to write to, and there is none; use 'plain' or 'auto'");
      }
      const int fd = options.fd;
      return std::make_unique<TtyProgress>(
          fd, options.colour, clock,
          options.terminal_size ? options.terminal_size : [fd] { return size_of_terminal(fd); },
          options.show_debug ? TtyProgress::Debug::show : TtyProgress::Debug::hide);
    }
    case ProgressMode::quiet:
      return std::make_unique<QuietProgress>(options.fd, options.folds);
    case ProgressMode::rawjson:
      return std::make_unique<RawJsonProgress>(options.fd, clock);
  }
  throw Error(Category::usage, "unknown progress mode");
}

}  // namespace kiln

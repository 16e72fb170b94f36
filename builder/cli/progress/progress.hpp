#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "base/terminal_text.hpp"
#include "builder/cli/progress/log_folds.hpp"
#include "builder/steps/events.hpp"

namespace kiln {

enum class ProgressMode {
  automatic,  // tty where the output is a terminal, else plain
  tty,        // a view that is drawn anew ten times a second
  plain,      // a log that people read (plain_progress.hpp)
  verbose,    // all there is to tell, as lines "#N ...", as BuildKit prints them
  quiet,      // failures only
  rawjson,    // one JSON object per line and event (raw_json_progress.hpp has its grammar)
};

// The mode that --progress (absent: none given) and BUILDKIT_PROGRESS (null or "": not set) ask for; the flag wins,
// except that "auto" lets the variable speak, as in buildx. Error{usage} for an unknown word, naming where it stood.
ProgressMode parse_progress_mode(std::optional<std::string_view> flag, const char* environment);

struct TerminalSize {
  int columns = 80;
  int rows = 24;
};

struct ProgressOptions {
  ProgressMode mode = ProgressMode::automatic;
  int fd = 2;                               // where to write; borrowed
  Colour colour = Colour::yes;              // of the tty view; the caller has looked at NO_COLOR
  bool show_debug = false;                  // print what comes by Log::debug
  LogFolds folds{LogFolds::Service::none};  // of the plain log
  // For tests; where empty: the monotonic clock, and the size the terminal has at each frame.
  std::function<double()> clock = {};
  std::function<TerminalSize()> terminal_size = {};
};

// The display of a build. Its destructor ends it: what has not finished by then is shown as cancelled, and the final
// state stays on the screen. Write errors (a closed terminal) silence the display and never fail the build.
//
// In tty and plain mode it owns a thread: make it after everything that must fork single-threaded. Error{usage} where
// tty is asked for and `fd` is no terminal.
std::unique_ptr<BuildObserver> make_progress(const ProgressOptions& options);

}  // namespace kiln

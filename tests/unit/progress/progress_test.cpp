#include "builder/cli/progress/progress.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <cstdlib>

#include "display_test.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

// A pseudo terminal: `terminal` for the display, what it writes is read from `master`.
struct PseudoTerminal {
  Fd master{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
  Fd terminal;

  PseudoTerminal(unsigned short columns, unsigned short rows) {
    REQUIRE(master);
    REQUIRE(::grantpt(master.get()) == 0);
    REQUIRE(::unlockpt(master.get()) == 0);
    terminal = Fd(::open(::ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    REQUIRE(terminal);
    winsize size{};
    size.ws_col = columns;
    size.ws_row = rows;
    REQUIRE(::ioctl(terminal.get(), TIOCSWINSZ, &size) == 0);
  }
  std::string read() const {
    std::string all;
    char buffer[4096];
    pollfd ready{master.get(), POLLIN, 0};
    while (::poll(&ready, 1, 0) == 1) {
      const ssize_t count = ::read(master.get(), buffer, sizeof buffer);
      if (count <= 0) break;
      all.append(buffer, static_cast<std::size_t>(count));
    }
    return all;
  }
};

void build_a_little(BuildObserver& progress) {
  progress.step_started(step(1, "", "builder", 1, 1, "RUN true"));
  progress.step_finished(1, built(0.5, ""));
}

}  // namespace

TEST_CASE("the flag decides, then BUILDKIT_PROGRESS, then the terminal") {
  CHECK(parse_progress_mode({}, nullptr) == ProgressMode::automatic);
  CHECK(parse_progress_mode({}, "") == ProgressMode::automatic);
  CHECK(parse_progress_mode({}, "plain") == ProgressMode::plain);
  CHECK(parse_progress_mode("tty", "plain") == ProgressMode::tty);
  CHECK(parse_progress_mode("auto", "rawjson") == ProgressMode::rawjson);
  CHECK(parse_progress_mode("auto", nullptr) == ProgressMode::automatic);
  CHECK(parse_progress_mode("quiet", "nonsense") == ProgressMode::quiet);
  CHECK_ERROR(parse_progress_mode("plan", nullptr), Category::usage,
              "unknown progress mode 'plan' in --progress; did you mean 'plain'?");
  CHECK_ERROR(parse_progress_mode({}, "fancy"), Category::usage,
              "unknown progress mode 'fancy' in BUILDKIT_PROGRESS; known: auto, tty, plain, verbose, quiet, rawjson");
}

TEST_CASE("a terminal gets the view, as wide as it is, anything else gets lines") {
  const PseudoTerminal pty(50, 10);
  build_a_little(*make_progress({.fd = pty.terminal.get(), .colour = Colour::no, .clock = [] { return 1.0; }}));
  const std::string drawn = pty.read();
  CHECK(drawn.find(" => [builder 1/1] RUN true" + std::string(19, ' ') + "0.0s\x1b[K\r") != std::string::npos);
  CHECK(drawn.ends_with("\x1b[?25h"));

  Stage stage;
  build_a_little(*make_progress({.fd = stage.fd.get()}));
  CHECK(stage.written() == "#1 DONE 0.5s [builder 1/1] RUN true\n");
}

TEST_CASE("colours are in the view only where they are wanted") {
  for (const Colour colour : {Colour::yes, Colour::no}) {
    const PseudoTerminal pty(80, 10);
    build_a_little(*make_progress({.mode = ProgressMode::tty, .fd = pty.terminal.get(), .colour = colour}));
    CHECK((pty.read().find("\x1b[34m") != std::string::npos) == (colour == Colour::yes));
  }
}

TEST_CASE("every mode can be asked for by name") {
  const PseudoTerminal pty(80, 10);
  build_a_little(*make_progress({.mode = ProgressMode::plain, .fd = pty.terminal.get()}));
  CHECK(pty.read() == "#1 DONE 0.5s [builder 1/1] RUN true\r\n");
  build_a_little(*make_progress({.mode = ProgressMode::verbose, .fd = pty.terminal.get()}));
  CHECK(pty.read() == "#1 [builder 1/1] RUN true\r\n#1 DONE 0.5s\r\n");
  build_a_little(*make_progress({.mode = ProgressMode::quiet, .fd = pty.terminal.get()}));
  CHECK(pty.read().empty());
  build_a_little(*make_progress({.mode = ProgressMode::rawjson, .fd = pty.terminal.get()}));
  CHECK(pty.read().starts_with("{\"time\":0.0,\"event\":\"started\""));
}

TEST_CASE("the view is refused where there is no terminal") {
  Stage stage;
  CHECK_ERROR(make_progress({.mode = ProgressMode::tty, .fd = stage.fd.get()}), Category::usage,
              "the progress mode 'tty' needs a terminal to write to, and there is none; use 'plain' or 'auto'");
}

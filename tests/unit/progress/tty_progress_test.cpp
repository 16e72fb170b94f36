#include "builder/cli/progress/tty_progress.hpp"

#include <doctest/doctest.h>

#include "base/text.hpp"
#include "display_test.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

using Lines = std::vector<std::string>;

// As much of a terminal as the display uses: it knows its sequences and refuses any other.
class Terminal {
 public:
  explicit Terminal(std::size_t columns) : columns_(columns) {}

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      if (bytes.starts_with("\x1b[")) {
        const std::size_t end = bytes.find_first_not_of("0123456789;?", 2);
        REQUIRE(end != std::string_view::npos);
        sequence(bytes.substr(2, end - 2), bytes[end]);
        bytes.remove_prefix(end + 1);
        continue;
      }
      const char c = bytes[0];
      bytes.remove_prefix(1);
      if (c == '\r') {
        column_ = 0;
      } else if (c == '\n') {
        ++row_;
        line();
      } else {
        REQUIRE(static_cast<unsigned char>(c) >= 0x20);
        if (column_ == columns_) {
          column_ = 0;
          ++row_;
        }
        line().resize(std::max(line().size(), column_ + 1), ' ');
        line()[column_++] = c;
      }
    }
  }
  Lines lines() const {
    Lines result = lines_;
    while (!result.empty() && result.back().empty()) result.pop_back();
    return result;
  }
  bool cursor_shown = true;
  std::size_t row() const { return row_; }

 private:
  std::string& line() {
    if (lines_.size() <= row_) lines_.resize(row_ + 1);
    return lines_[row_];
  }
  void sequence(std::string_view parameters, char final_byte) {
    if (final_byte == 'A') {
      const auto count = parse_unsigned(parameters).value();
      REQUIRE(count <= row_);
      row_ -= count;
    } else if (final_byte == 'K') {
      line().resize(std::min(line().size(), column_));
    } else if (final_byte == 'J') {
      line().resize(std::min(line().size(), column_));
      lines_.resize(row_ + 1);
    } else if (parameters == "?25") {
      REQUIRE((final_byte == 'l' || final_byte == 'h'));
      cursor_shown = final_byte == 'h';
    } else {
      FAIL("unexpected sequence");
    }
  }

  std::size_t columns_;
  std::size_t row_ = 0;
  std::size_t column_ = 0;
  Lines lines_;
};

}  // namespace

TEST_CASE("a frame is drawn over the one before, and messages stay above it") {
  TtyScreen screen;
  Terminal terminal(40);
  terminal.write(screen.draw({}, {"header 1", "step one", "step two"}, 40));
  CHECK(terminal.lines() == Lines{"header 1", "step one", "step two"});
  CHECK_FALSE(terminal.cursor_shown);
  terminal.write(screen.draw({}, {"h2", "step"}, 40));
  CHECK(terminal.lines() == Lines{"h2", "step"});
  terminal.write(screen.draw({"a message"}, {"h3", "step", "more"}, 40));
  CHECK(terminal.lines() == Lines{"a message", "h3", "step", "more"});
  terminal.write(screen.draw({"a long message that takes more than one row"}, {"h4"}, 40));
  CHECK(terminal.lines() == Lines{"a message", "a long message that takes more than one ", "row", "h4"});
  terminal.write(screen.draw_last({"last"}, {"done"}, 40));
  CHECK(terminal.lines() == Lines{"a message", "a long message that takes more than one ", "row", "last", "done"});
  CHECK(terminal.cursor_shown);
  CHECK(terminal.row() == 5);
}

TEST_CASE("nothing is written where nothing changed") {
  TtyScreen screen;
  CHECK_FALSE(screen.draw({}, {"header"}, 40).empty());
  CHECK(screen.draw({}, {"header"}, 40).empty());
  CHECK_FALSE(screen.draw({"m"}, {"header"}, 40).empty());
  CHECK_FALSE(screen.draw({}, {"header 2"}, 40).empty());
}

TEST_CASE("a frame drawn on a terminal that was wider is erased as the rows it takes now") {
  TtyScreen screen;
  screen.draw({}, {"\x1b[34m" + std::string(39, 'x') + "\x1b[0m", "short"}, 40);
  CHECK(screen.draw({}, {"new"}, 20).find("\x1b[3A") != std::string::npos);
}

TEST_CASE("a build leaves its final state on the screen and the cursor shown") {
  Stage stage;
  {
    TtyProgress progress(
        stage.fd.get(), Colour::no, [] { return 7.0; },
        [] {
          return TerminalSize{60, 24};
        },
        TtyProgress::Debug::hide);
    progress.info("build-time trust is in use");
    progress.debug("hidden");
    progress.step_started(step(1, "hub", "builder", 1, 2, "COPY app ."));
    progress.step_output(1, "out\n");
    progress.step_progress(1, "layer", 1, 2);
    progress.step_finished(1, hit("local"));
    progress.step_started(step(2, "hub", "", 0, 0, "push"));
    progress.task_finished(2, "");
    progress.warn("careful");
  }
  Terminal terminal(60);
  terminal.write(stage.written());
  CHECK(terminal.lines() == Lines{"build-time trust is in use", "[+] Building 0.0s (2/2) FINISHED, 1 warning",
                                  " => CACHED [hub builder 1/2] COPY app .                0.0s",
                                  " => [hub] push                                         0.0s", "",
                                  "WARNING: careful"});
  CHECK(terminal.cursor_shown);
}

TEST_CASE("debug messages are shown when asked for") {
  Stage stage;
  {
    TtyProgress progress(
        stage.fd.get(), Colour::no, [] { return 7.0; }, [] { return TerminalSize{}; }, TtyProgress::Debug::show);
    progress.debug("a detail");
  }
  Terminal terminal(80);
  terminal.write(stage.written());
  CHECK(terminal.lines() == Lines{"DEBUG: a detail", "[+] Building 0.0s (0/0) FINISHED"});
}

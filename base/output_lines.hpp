#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

// Cuts the output of a command, which comes in pieces cut anywhere, into lines that are safe to print, no matter who
// wrote them: escape sequences (ECMA-48: CSI, OSC, DCS and the like, in 7- and 8-bit form) and control characters are
// taken out, tabs become spaces up to the next multiple of eight, a carriage return begins the line anew as a terminal
// would (a progress bar leaves its last state), a backspace takes the last character back, bidirectional overrides
// are taken out, and bytes that are no UTF-8 become U+FFFD. A line longer than kMaxLineBytes is cut into several.
//
// For one thread at a time.
class OutputLines {
 public:
  static constexpr std::size_t kMaxLineBytes = 16 << 10;

  // Takes a piece and returns the lines that it completed, without their ends.
  std::vector<std::string> feed(std::string_view bytes);
  // The line that has no end yet.
  const std::string& partial() const noexcept { return line_; }
  // Returns that line, nothing if it is empty.
  std::vector<std::string> finish();

 private:
  enum class State { text, escape, csi, string, string_escape };

  void take(unsigned char byte);
  void take_text(unsigned char byte);
  void take_sequence(unsigned char byte);
  void take_control(unsigned char byte);
  void take_character(char32_t code, std::string_view bytes);
  void erase_last();
  void end_line();

  State state_ = State::text;
  bool returned_ = false;   // a carriage return came, and nothing after it yet
  std::size_t column_ = 0;  // where the next character stands
  std::string pending_;     // the beginning of a UTF-8 sequence
  std::string line_;
  std::vector<std::string> lines_;
};

}  // namespace kiln

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

// Cuts the output of a command, which comes in pieces cut anywhere, into lines that are safe to print whoever wrote
// them: escape sequences (ECMA-48: CSI, OSC, DCS and the like, in 7- and 8-bit form) and control characters are taken
// out, tabs become spaces up to the next multiple of eight, a carriage return begins the line anew as a terminal
// would (a progress bar leaves its last state), a backspace takes the last character back, bidirectional overrides
// are taken out, and bytes that are no UTF-8 become U+FFFD. A line longer than kMaxLineBytes is cut into several.
//
// For one thread at a time.
class OutputLines {
 public:
  static constexpr std::size_t kMaxLineBytes = 16 << 10;

  // Takes a piece and gives the lines that it completed, without their ends.
  std::vector<std::string> feed(std::string_view bytes);
  // The line that has no end yet.
  const std::string& partial() const noexcept { return line_; }
  // Gives that line away, nothing if it is empty; an incomplete character at the end counts as none.
  std::vector<std::string> finish();

 private:
  enum class State { text, escape, csi, string, string_escape };

  void put(std::string_view character);
  void control(unsigned char byte, std::vector<std::string>& lines);
  void character(std::uint32_t code, std::string_view bytes, std::vector<std::string>& lines);
  void end_line(std::vector<std::string>& lines);

  State state_ = State::text;
  bool returned_ = false;   // a carriage return came, and nothing after it yet
  std::string pending_;     // the beginning of a UTF-8 sequence
  std::string line_;
};

}  // namespace kiln

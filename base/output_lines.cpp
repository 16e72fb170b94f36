#include "base/output_lines.hpp"

#include <utility>

#include "base/terminal_text.hpp"
#include "base/utf8.hpp"

namespace kiln {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::size_t kTabStop = 8;

bool is_bidirectional_override(char32_t code) {
  return (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

}  // namespace

std::vector<std::string> OutputLines::feed(std::string_view bytes) {
  for (const char byte : bytes) take(static_cast<unsigned char>(byte));
  return std::exchange(lines_, {});
}

std::vector<std::string> OutputLines::finish() {
  if (state_ == State::text && !pending_.empty()) take_character(kReplacementCharacter, kReplacement);
  state_ = State::text;
  pending_.clear();
  if (!line_.empty()) end_line();
  return std::exchange(lines_, {});
}

void OutputLines::take(unsigned char byte) {
  if (state_ == State::text) {
    take_text(byte);
  } else {
    take_sequence(byte);
  }
}

void OutputLines::take_text(unsigned char byte) {
  pending_ += static_cast<char>(byte);
  switch (utf8_state(pending_)) {
    case Utf8State::incomplete:
      return;
    case Utf8State::invalid: {
      const bool begins_anew = pending_.size() > 1;
      pending_.clear();
      take_character(kReplacementCharacter, kReplacement);
      if (begins_anew) take(byte);
      return;
    }
    case Utf8State::complete: {
      const std::string character = std::exchange(pending_, {});
      take_character(next_character(character).code, character);
      return;
    }
  }
}

// Inside an escape sequence. The end of a line ends any of them, so that an unterminated one hides no more than that.
void OutputLines::take_sequence(unsigned char byte) {
  constexpr unsigned char kBell = 0x07, kEscape = 0x1B;
  if (byte == '\n') {
    state_ = State::text;
    pending_.clear();
    take_control(byte);
    return;
  }
  switch (state_) {
    case State::text:
      return;
    case State::escape:
      if (byte == '[') {
        state_ = State::csi;
      } else if (byte == ']' || byte == 'P' || byte == 'X' || byte == '^' || byte == '_') {
        state_ = State::string;
      } else if (byte >= 0x80) {
        state_ = State::text;
        take_text(byte);
      } else if (byte != kEscape && (byte < 0x20 || byte > 0x2F)) {
        state_ = State::text;
      }
      return;
    case State::csi:
      if (byte == kEscape) {
        state_ = State::escape;
      } else if (byte >= 0x80) {
        state_ = State::text;
        take_text(byte);
      } else if (byte < 0x20 || byte > 0x3F) {
        state_ = State::text;
      }
      return;
    case State::string:
    case State::string_escape: {
      const bool string_terminator =
          (state_ == State::string_escape && byte == '\\') || (pending_ == "\xC2" && byte == 0x9C) || byte == kBell;
      pending_.clear();
      state_ = string_terminator ? State::text : byte == kEscape ? State::string_escape : State::string;
      if (state_ == State::string && byte == 0xC2) pending_ = "\xC2";
      return;
    }
  }
}

void OutputLines::take_control(unsigned char byte) {
  switch (byte) {
    case '\n':
      end_line();
      return;
    case '\r':
      returned_ = true;
      return;
    case '\t':
      do {
        take_character(' ', " ");
      } while (column_ % kTabStop != 0);
      return;
    case '\b':
      erase_last();
      return;
    case 0x1B:
      state_ = State::escape;
      return;
    default:
      return;
  }
}

void OutputLines::take_character(char32_t code, std::string_view bytes) {
  if (code < 0x20 || code == 0x7F) {
    take_control(static_cast<unsigned char>(code));
    return;
  }
  if (code >= 0x80 && code < 0xA0) {
    if (code == 0x9B) state_ = State::csi;
    if (code == 0x90 || code == 0x98 || code == 0x9D || code == 0x9E || code == 0x9F) state_ = State::string;
    return;
  }
  if (is_bidirectional_override(code)) return;
  if (returned_) {
    line_.clear();
    column_ = 0;
    returned_ = false;
  }
  line_ += bytes;
  column_ += character_width(code);
  if (line_.size() >= kMaxLineBytes) end_line();
}

void OutputLines::erase_last() {
  if (line_.empty() || returned_) return;
  std::size_t start = line_.size() - 1;
  while (start > 0 && is_continuation(line_[start])) --start;
  column_ -= character_width(next_character(std::string_view(line_).substr(start)).code);
  line_.resize(start);
}

void OutputLines::end_line() {
  lines_.push_back(std::exchange(line_, {}));
  column_ = 0;
  returned_ = false;
}

}  // namespace kiln

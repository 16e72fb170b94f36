#include "builder/layer/deflate_blocks.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/error.hpp"

namespace kiln {

namespace {

constexpr int kMaxCodeBits = 15;
constexpr int kTableBits = 10;  // longer codes are rare, and looked up one length after the other

[[noreturn]] void refuse() { throw Error(Category::machine, "gzip: the compressor's output is no deflate stream"); }

// Bits from the lowest up. Behind the end come zeros, until refill() sees that they are being read.
class BitReader {
 public:
  explicit BitReader(std::string_view bytes) : bytes_(bytes) {}

  // At least 56 bits are there after it.
  void refill() {
    if (next_ + 8 <= bytes_.size()) {
      std::uint64_t word;
      std::memcpy(&word, bytes_.data() + next_, 8);
      buffer_ |= word << count_;
      const unsigned taken = (63 - count_) >> 3;
      next_ += taken;
      count_ += 8 * taken;
      return;
    }
    if (position() > 8 * bytes_.size()) refuse();
    while (count_ <= 56) {
      if (next_ < bytes_.size())
        buffer_ |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes_[next_])) << count_;
      ++next_;
      count_ += 8;
    }
  }
  std::uint64_t bits() const { return buffer_; }
  void skip(unsigned bits) {
    buffer_ >>= bits;
    count_ -= bits;
  }
  unsigned take(unsigned bits) {
    const auto value = static_cast<unsigned>(buffer_ & ((std::uint64_t{1} << bits) - 1));
    skip(bits);
    return value;
  }
  // In bits from the beginning.
  std::size_t position() const { return 8 * next_ - count_; }
  void seek_byte(std::size_t byte) {
    next_ = byte;
    buffer_ = 0;
    count_ = 0;
  }

 private:
  std::string_view bytes_;
  std::size_t next_ = 0;
  std::uint64_t buffer_ = 0;
  unsigned count_ = 0;
};

// Where a code leads. What only counts bits need not tell literals from each other, nor lengths.
enum Next : std::uint8_t { literal_or_length, distance, end_of_block, long_code };

struct Step {
  std::uint8_t bits = 0;  // of the code and of the extra bits behind it
  Next next = long_code;
};

// A canonical Huffman code (RFC 1951, 3.2.2) without what its symbols mean.
class HuffmanCode {
 public:
  // `symbol_step(symbol)`: the extra bits and where it leads.
  template <class SymbolStep>
  HuffmanCode(std::span<const std::uint8_t> lengths, const SymbolStep& symbol_step) {
    for (const std::uint8_t length : lengths) ++counts_[length];
    counts_[0] = 0;
    std::array<unsigned, kMaxCodeBits + 2> next{};
    unsigned first = 0;
    for (int bits = 1; bits <= kMaxCodeBits; ++bits) {
      first_code_[bits] = next[bits] = first;
      first_index_[bits + 1] = first_index_[bits] + counts_[bits];
      first = (first + counts_[bits]) << 1;
    }
    std::array<unsigned, kMaxCodeBits + 2> place = first_index_;
    for (std::size_t symbol = 0; symbol < lengths.size(); ++symbol) {
      const unsigned length = lengths[symbol];
      if (length == 0) continue;
      Step step = symbol_step(symbol);
      step.bits = static_cast<std::uint8_t>(step.bits + length);
      symbols_[place[length]] = static_cast<std::uint16_t>(symbol);
      steps_[place[length]++] = step;
      const unsigned code = next[length]++;
      if (length > kTableBits) continue;
      unsigned reversed = 0;
      for (unsigned bit = 0; bit < length; ++bit) reversed |= (code >> bit & 1) << (length - 1 - bit);
      for (unsigned at = reversed; at < kTableSize; at += 1u << length) table_[at] = {step, length};
    }
  }

  // What begins with these bits, by its place among the code's symbols.
  std::size_t look(std::uint64_t bits) const {
    unsigned code = 0;
    for (int length = 1; length <= kMaxCodeBits; ++length) {
      code = code << 1 | static_cast<unsigned>(bits & 1);
      bits >>= 1;
      if (code - first_code_[length] < counts_[length]) return first_index_[length] + code - first_code_[length];
    }
    refuse();
  }
  Step step_at(std::size_t place) const { return steps_[place]; }
  unsigned symbol_at(std::size_t place) const { return symbols_[place]; }

  // The steps by the next kTableBits bits; long_code where they do not suffice.
  void put_steps(Step* table) const {
    for (std::size_t at = 0; at < kTableSize; ++at) table[at] = table_[at].step;
  }
  // The same, with as many literals in one step as the bits hold, and what follows them.
  void put_joined_steps(Step* table) const {
    for (std::size_t at = 0; at < kTableSize; ++at) {
      Entry entry = table_[at];
      while (entry.step.next == literal_or_length) {
        const Entry& behind = table_[at >> entry.code_bits];
        if (behind.step.next == long_code || entry.code_bits + behind.code_bits > kTableBits) break;
        entry.step = {static_cast<std::uint8_t>(entry.code_bits + behind.step.bits), behind.step.next};
        entry.code_bits += behind.code_bits;
      }
      table[at] = entry.step;
    }
  }

  static constexpr std::size_t kTableSize = std::size_t{1} << kTableBits;

 private:
  struct Entry {
    Step step;
    unsigned code_bits = 0;
  };
  std::array<unsigned, kMaxCodeBits + 2> counts_{};
  std::array<unsigned, kMaxCodeBits + 2> first_code_{};
  std::array<unsigned, kMaxCodeBits + 2> first_index_{};
  std::array<std::uint16_t, 288> symbols_{};
  std::array<Step, 288> steps_{};
  std::array<Entry, kTableSize> table_{};
};

Step length_step(std::size_t symbol) {
  if (symbol < 256) return {0, literal_or_length};
  if (symbol == 256) return {0, end_of_block};
  return {static_cast<std::uint8_t>(symbol < 265 || symbol == 285 ? 0 : (symbol - 261) / 4), distance};
}
Step distance_step(std::size_t symbol) {
  return {static_cast<std::uint8_t>(symbol < 4 ? 0 : symbol / 2 - 1), literal_or_length};
}

// No branch in the loop depends on whether a literal or a match comes, which no CPU could foresee.
void skip_symbols(BitReader& reader, const HuffmanCode& lengths, const HuffmanCode& distances) {
  constexpr std::size_t kMask = HuffmanCode::kTableSize - 1;
  std::array<Step, 2 * HuffmanCode::kTableSize> table;
  lengths.put_joined_steps(table.data());
  distances.put_steps(table.data() + HuffmanCode::kTableSize);
  BitReader in = reader;  // a copy can stay in registers
  Next now = literal_or_length;
  const auto advance = [&] {
    Step step = table[(in.bits() & kMask) + (now << kTableBits)];
    if (step.next == long_code) [[unlikely]] {
      const HuffmanCode& code = now == distance ? distances : lengths;
      step = code.step_at(code.look(in.bits()));
    }
    in.skip(step.bits);
    now = step.next;
  };
  for (;;) {
    in.refill();  // 56 bits: enough for a length and a distance of the longest
    advance();
    if (now == end_of_block) break;
    advance();
    if (now == end_of_block) break;
  }
  reader = in;
}

void skip_fixed_block(BitReader& in) {
  std::array<std::uint8_t, 288> lengths;
  std::fill_n(lengths.begin(), 144, std::uint8_t{8});
  std::fill_n(lengths.begin() + 144, 112, std::uint8_t{9});
  std::fill_n(lengths.begin() + 256, 24, std::uint8_t{7});
  std::fill_n(lengths.begin() + 280, 8, std::uint8_t{8});
  std::array<std::uint8_t, 30> distances;
  distances.fill(5);
  skip_symbols(in, HuffmanCode(lengths, length_step), HuffmanCode(distances, distance_step));
}

void skip_dynamic_block(BitReader& in) {
  constexpr std::array<std::uint8_t, 19> kOrder = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  in.refill();
  const unsigned length_codes = in.take(5) + 257;
  const unsigned distance_codes = in.take(5) + 1;
  const unsigned header_codes = in.take(4) + 4;
  std::array<std::uint8_t, 19> header{};
  for (unsigned i = 0; i < header_codes; ++i) {
    in.refill();
    header[kOrder[i]] = static_cast<std::uint8_t>(in.take(3));
  }
  const HuffmanCode header_code(header, [](std::size_t) { return Step{0, literal_or_length}; });
  std::array<std::uint8_t, 288 + 32> lengths{};
  const unsigned all = length_codes + distance_codes;
  for (unsigned i = 0; i < all;) {
    in.refill();
    const std::size_t place = header_code.look(in.bits());
    in.skip(header_code.step_at(place).bits);
    const unsigned symbol = header_code.symbol_at(place);
    if (symbol < 16) {
      lengths[i++] = static_cast<std::uint8_t>(symbol);
      continue;
    }
    if (symbol == 16 && i == 0) refuse();
    const std::uint8_t repeated = symbol == 16 ? lengths[i - 1] : 0;
    const unsigned times = symbol == 16 ? 3 + in.take(2) : symbol == 17 ? 3 + in.take(3) : 11 + in.take(7);
    if (times > all - i) refuse();
    std::fill_n(lengths.begin() + i, times, repeated);
    i += times;
  }
  const std::span<const std::uint8_t> both(lengths);
  if (length_codes > 286) refuse();
  skip_symbols(in, HuffmanCode(both.first(length_codes), length_step),
               HuffmanCode(both.subspan(length_codes, distance_codes), distance_step));
}

void skip_stored_block(BitReader& in, std::string_view stream) {
  const std::size_t header = (in.position() + 7) / 8;
  if (header + 4 > stream.size()) refuse();
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(stream[header + at]); };
  in.seek_byte(header + 4 + (byte(0) | static_cast<std::size_t>(byte(1)) << 8));
}

}  // namespace

std::string open_ended_deflate(std::string_view stream) {
  BitReader in(stream);
  std::size_t last_block = 0;
  for (bool is_last = false; !is_last;) {
    last_block = in.position();
    in.refill();
    is_last = in.take(1) == 1;
    switch (in.take(2)) {
      case 0:
        skip_stored_block(in, stream);
        break;
      case 1:
        skip_fixed_block(in);
        break;
      case 2:
        skip_dynamic_block(in);
        break;
      default:
        refuse();
    }
  }
  const std::size_t end = in.position();
  if ((end + 7) / 8 != stream.size()) refuse();
  std::string result;
  result.reserve(stream.size() + 5);
  result = stream;
  result[last_block / 8] = static_cast<char>(result[last_block / 8] & ~(1 << (last_block % 8)));
  // A stored block's three bits are zeros, as is what fills up a byte.
  if (8 * stream.size() - end < 3) result += '\0';
  result += std::string_view("\x00\x00\xff\xff", 4);
  return result;
}

}  // namespace kiln

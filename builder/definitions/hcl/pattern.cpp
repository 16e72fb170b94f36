#include "builder/definitions/hcl/pattern.hpp"

#include <algorithm>

#include "base/utf8.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/hcl/functions.hpp"
#include "builder/definitions/hcl/pattern_compiler.hpp"

namespace kiln::hcl {

namespace {

using Opcode = Pattern::Instruction::Kind;
constexpr std::size_t kNone = static_cast<std::size_t>(-1);

bool is_word(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; }

std::size_t character_length(std::string_view text, std::size_t at) { return next_character(text.substr(at)).length; }

// One pass over a text: the threads at a position, the preferred one first, each with the groups it has seen.
class Machine {
 public:
  using Slots = std::vector<std::size_t>;

  Machine(const std::vector<Pattern::Instruction>& program, std::string_view text, std::size_t slot_count)
      : program_(program), text_(text), slot_count_(slot_count) {}

  Slots run(std::size_t from) {
    Slots found;
    std::vector<Thread> now, next;
    for (std::size_t at = from;; at += character_length(text_, at)) {
      if (found.empty()) {
        Slots slots(slot_count_, kNone);
        slots[0] = at;
        visited_.assign(program_.size(), false);
        for (const Thread& thread : now) visited_[thread.address] = true;
        add(now, 0, at, std::move(slots));
      }
      if (now.empty() && (!found.empty() || at >= text_.size())) break;
      visited_.assign(program_.size(), false);
      next.clear();
      const Utf8Character next_one = at < text_.size() ? next_character(text_.substr(at)) : Utf8Character{0, 0};
      for (Thread& thread : now) {
        const Pattern::Instruction& instruction = program_[thread.address];
        if (instruction.kind == Opcode::match) {
          found = std::move(thread.slots);
          found[1] = at;
          break;  // what comes behind is less preferred
        }
        const bool takes = next_one.length != 0 &&
                           std::any_of(instruction.ranges.begin(), instruction.ranges.end(), [&](const auto& range) {
                             return range.first <= next_one.code && next_one.code <= range.last;
                           });
        if (takes) add(next, instruction.next, at + next_one.length, std::move(thread.slots));
      }
      now.swap(next);
      if (next_one.length == 0) break;
    }
    return found;
  }

 private:
  struct Thread {
    std::size_t address;
    Slots slots;
  };

  // Follows what takes no character, by a stack of its own: programs are longer than the machine's stack is deep.
  void add(std::vector<Thread>& threads, std::size_t start, std::size_t at, Slots first) {
    std::vector<Thread> pending;
    pending.push_back({start, std::move(first)});
    while (!pending.empty()) {
      auto [address, slots] = std::move(pending.back());
      pending.pop_back();
      if (visited_[address]) continue;
      visited_[address] = true;
      const Pattern::Instruction& instruction = program_[address];
      switch (instruction.kind) {
        case Opcode::match:
        case Opcode::characters:
          threads.push_back({address, std::move(slots)});
          break;
        case Opcode::jump:
          pending.push_back({instruction.next, std::move(slots)});
          break;
        case Opcode::split:
          pending.push_back({instruction.other, slots});
          pending.push_back({instruction.next, std::move(slots)});
          break;
        case Opcode::save:
          slots[instruction.other] = at;
          pending.push_back({instruction.next, std::move(slots)});
          break;
        default:
          if (holds(instruction.kind, at)) pending.push_back({instruction.next, std::move(slots)});
      }
    }
  }

  bool holds(Opcode kind, std::size_t at) const {
    const bool before = at > 0 && is_word(text_[at - 1]), behind = at < text_.size() && is_word(text_[at]);
    switch (kind) {
      case Opcode::text_begin:
        return at == 0;
      case Opcode::text_end:
        return at == text_.size();
      case Opcode::line_begin:
        return at == 0 || text_[at - 1] == '\n';
      case Opcode::line_end:
        return at == text_.size() || text_[at] == '\n';
      case Opcode::word:
        return before != behind;
      default:
        return before == behind;
    }
  }

  const std::vector<Pattern::Instruction>& program_;
  std::string_view text_;
  std::size_t slot_count_;
  std::vector<bool> visited_;
};

}  // namespace

Pattern::Pattern(std::string_view pattern) {
  PatternCompiler compiler(pattern);
  program_ = compiler.compile();
  names_ = compiler.take_names();
}

Pattern::Match Pattern::find(std::string_view text, std::size_t from) const {
  // A bound on both together: program times text is what matching costs.
  constexpr std::size_t kMaxWork = 50'000'000;
  if (text.size() > kMaxWork / program_.size()) throw ValueError("the text is too long for this pattern");
  const auto slots = Machine(program_, text, 2 * names_.size() + 2).run(from);
  Match match;
  for (std::size_t i = 0; i + 1 < slots.size(); i += 2) {
    const bool is_set = slots[i] != kNone && slots[i + 1] != kNone;
    match.push_back(is_set ? Range(std::pair(slots[i], slots[i + 1])) : std::nullopt);
  }
  return match;
}

std::vector<Pattern::Match> Pattern::find_all(std::string_view text) const {
  std::vector<Match> result;
  std::size_t previous_end = kNone;
  for (std::size_t at = 0; at <= text.size();) {
    Match match = find(text, at);
    if (match.empty()) break;
    const auto [begin, end] = *match[0];
    const bool is_again_empty = end == at && begin == previous_end;
    at = end == at ? at + (at < text.size() ? character_length(text, at) : 1) : end;
    previous_end = end;
    if (!is_again_empty) result.push_back(std::move(match));
  }
  return result;
}

std::string Pattern::replace_all(std::string_view text, std::string_view replacement) const {
  std::string result;
  std::size_t last_end = 0;
  for (std::size_t at = 0; at <= text.size();) {
    const Match match = find(text, at);
    if (match.empty()) break;
    const auto [begin, end] = *match[0];
    result += text.substr(last_end, begin - last_end);
    if (end > last_end || begin == 0) result += expanded(replacement, text, match);
    check_text_size(result.size());
    last_end = end;
    const std::size_t step = at < text.size() ? character_length(text, at) : 1;
    at = at + step > end ? at + step : end;
  }
  return result.append(text.substr(last_end));
}

std::string Pattern::expanded(std::string_view replacement, std::string_view text, const Match& match) const {
  std::string result;
  for (std::size_t at = 0; at < replacement.size();) {
    const std::size_t dollar = replacement.find('$', at);
    result += replacement.substr(at, dollar == std::string_view::npos ? dollar : dollar - at);
    if (dollar == std::string_view::npos) break;
    at = dollar + 1;
    if (at < replacement.size() && replacement[at] == '$') {
      result += '$';
      ++at;
      continue;
    }
    const bool has_braces = at < replacement.size() && replacement[at] == '{';
    std::size_t begin = at + (has_braces ? 1 : 0), end = begin;
    while (end < replacement.size() && is_word(replacement[end])) ++end;
    if (end == begin || (has_braces && (end == replacement.size() || replacement[end] != '}'))) {
      result += '$';  // no name: it is text
      continue;
    }
    const std::string_view name = replacement.substr(begin, end - begin);
    at = end + (has_braces ? 1 : 0);
    std::optional<std::size_t> group;
    if (std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      group = name.size() < 6 ? std::stoul(std::string(name)) : kNone;
    } else if (const auto found = std::find(names_.begin(), names_.end(), name); found != names_.end()) {
      group = static_cast<std::size_t>(found - names_.begin()) + 1;
    }
    if (group && *group < match.size() && match[*group]) {
      result += text.substr(match[*group]->first, match[*group]->second - match[*group]->first);
    }
  }
  return result;
}

}  // namespace kiln::hcl

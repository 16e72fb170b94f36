#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/steps/copy_plan.hpp"

namespace kiln {

namespace {

constexpr std::uint16_t kAllBits = 07777;

struct Clause {
  std::uint16_t who = 0;  // bits of 0700, 0070, 0007 (with the special bits that belong to them)
  char operation = '=';
  bool read = false, write = false, execute = false, execute_if_any = false, set_id = false, sticky = false;
  char copy_from = 0;  // 'u', 'g' or 'o'
};

std::uint16_t spread(unsigned three_bits) {
  return static_cast<std::uint16_t>(three_bits << 6 | three_bits << 3 | three_bits);
}

// `original` is the mode before all clauses, which X looks at: in "u=rwx,g=rX" it does not see the x of its neighbour.
std::uint16_t apply_clause(const Clause& clause, std::uint16_t mode, std::uint16_t original, bool is_directory) {
  unsigned bits = (clause.read ? 4u : 0u) | (clause.write ? 2u : 0u) | (clause.execute ? 1u : 0u);
  if (clause.execute_if_any && (is_directory || (original & 0111))) bits |= 1;
  if (clause.copy_from == 'u') bits |= mode >> 6 & 7u;
  if (clause.copy_from == 'g') bits |= mode >> 3 & 7u;
  if (clause.copy_from == 'o') bits |= mode & 7u;
  std::uint16_t change = spread(bits) & clause.who;
  if (clause.set_id)
    change |= static_cast<std::uint16_t>((clause.who & 0700 ? 04000 : 0) | (clause.who & 0070 ? 02000 : 0));
  // To others alone 't' says nothing, as in BSD's chmod, which BuildKit has.
  if (clause.sticky && clause.who != 0007) change |= 01000;
  if (clause.operation == '+') return mode | change;
  if (clause.operation == '-') return mode & static_cast<std::uint16_t>(~change);
  std::uint16_t cleared = clause.who & 0777;
  if (!is_directory)
    cleared |= static_cast<std::uint16_t>((clause.who & 0700 ? 04000 : 0) | (clause.who & 0070 ? 02000 : 0));
  return static_cast<std::uint16_t>((mode & ~cleared) | change);
}

std::vector<Clause> parse_symbolic(std::string_view text) {
  const auto refuse = [&] {
    return Error(Category::usage, fmt::format("invalid chmod parameter: '{}': invalid syntax; expected an octal mode "
                                              "(0755) or a symbolic one (u=rwX,go=rX)",
                                              printable(text)));
  };
  std::vector<Clause> clauses;
  for (std::string_view part : split(text, ',')) {
    std::uint16_t who = 0;
    while (!part.empty() && std::string_view("ugoa").find(part[0]) != std::string_view::npos) {
      who |= part[0] == 'u' ? 0700 : part[0] == 'g' ? 0070 : part[0] == 'o' ? 0007 : 0777;
      part.remove_prefix(1);
    }
    if (who == 0) who = 0777;
    if (part.empty()) throw refuse();
    while (!part.empty()) {
      Clause clause;
      clause.who = who;
      clause.operation = part[0];
      if (clause.operation != '+' && clause.operation != '-' && clause.operation != '=') throw refuse();
      part.remove_prefix(1);
      while (!part.empty() && std::string_view("+-=").find(part[0]) == std::string_view::npos) {
        switch (part[0]) {
          case 'r':
            clause.read = true;
            break;
          case 'w':
            clause.write = true;
            break;
          case 'x':
            clause.execute = true;
            break;
          case 'X':
            clause.execute_if_any = true;
            break;
          case 's':
            clause.set_id = true;
            break;
          case 't':
            clause.sticky = true;
            break;
          case 'u':
          case 'g':
          case 'o':
            clause.copy_from = part[0];
            break;
          default:
            throw refuse();
        }
        part.remove_prefix(1);
      }
      clauses.push_back(clause);
    }
  }
  return clauses;
}

}  // namespace

std::optional<std::uint16_t> octal_chmod(std::string_view text) {
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  const auto octal = parse_unsigned(text, 8);
  if (!octal || *octal > kAllBits) {
    throw Error(Category::usage,
                fmt::format("invalid chmod parameter: '{}'. it should be octal string and between 0 and 07777",
                            printable(text)));
  }
  return static_cast<std::uint16_t>(*octal);
}

ChangeMode parse_chmod(std::string_view text) {
  if (const auto octal = octal_chmod(text)) {
    return [mode = *octal](std::uint16_t, bool) { return mode; };
  }
  return [clauses = parse_symbolic(text)](std::uint16_t original, bool is_directory) {
    std::uint16_t mode = original;
    for (const Clause& clause : clauses) mode = apply_clause(clause, mode, original, is_directory);
    return mode;
  };
}

}  // namespace kiln

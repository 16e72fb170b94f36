#include "builder/packages/version_order.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "builder/packages/version_schemes.hpp"

namespace kiln {

namespace {

// A run of a version. Kinds in the order in which they stand at the same place of two versions.
struct VersionToken {
  enum class Kind { before_all, pre_release, end, word, number } kind = Kind::end;
  std::string_view text;  // of a number without leading zeros
};

constexpr std::array<std::string_view, 7> kPreReleases = {"a", "alpha", "b", "beta", "c", "pre", "rc"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

class VersionTokens {
 public:
  VersionTokens(Ecosystem ecosystem, std::string_view text) : ecosystem_(ecosystem), rest_(text) {}

  VersionToken next() {
    using Kind = VersionToken::Kind;
    while (!rest_.empty()) {
      const char c = rest_.front();
      if (is_digit(c)) {
        std::string_view digits = take(is_digit);
        digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
        return {Kind::number, digits};
      }
      if (is_letter(c)) {
        const std::string_view word = take(is_letter);
        if (ecosystem_ != Ecosystem::deb && word == "dev") return {Kind::before_all, {}};
        const bool is_pre = ecosystem_ != Ecosystem::deb &&
                            std::find(kPreReleases.begin(), kPreReleases.end(), word) != kPreReleases.end();
        return {is_pre ? Kind::pre_release : Kind::word, word};
      }
      rest_.remove_prefix(1);
      const bool is_semantic = ecosystem_ == Ecosystem::npm || ecosystem_ == Ecosystem::golang;
      if (c == '~' || (c == '-' && is_semantic)) return {Kind::before_all, {}};
    }
    return {};
  }

 private:
  std::string_view take(bool (*belongs)(char)) {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), belongs);
    const auto length = static_cast<std::size_t>(end - rest_.begin());
    const std::string_view run = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return run;
  }

  Ecosystem ecosystem_;
  std::string_view rest_;
};

int compare_numbers(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

int compare_tokens(Ecosystem ecosystem, std::string_view a, std::string_view b) {
  VersionTokens left(ecosystem, a), right(ecosystem, b);
  while (true) {
    const VersionToken x = left.next(), y = right.next();
    if (x.kind != y.kind) return x.kind < y.kind ? -1 : 1;
    if (x.kind == VersionToken::Kind::end) return 0;
    const int order = x.kind == VersionToken::Kind::number ? compare_numbers(x.text, y.text) : x.text.compare(y.text);
    if (order != 0) return order;
  }
}

// "1" of "1:2.0"; what has none has the epoch 0.
std::string_view take_epoch(std::string_view& version) {
  const std::size_t mark = version.find_first_of(":!");
  if (mark == std::string_view::npos) return "0";
  const std::string_view epoch = version.substr(0, mark);
  version.remove_prefix(mark + 1);
  return epoch;
}

}  // namespace

int compare_versions(Ecosystem ecosystem, std::string_view a, std::string_view b) {
  std::optional<int> order;
  if (ecosystem == Ecosystem::deb) order = compare_debian_versions(a, b);
  if (ecosystem == Ecosystem::pypi) order = compare_python_versions(a, b);
  if (ecosystem == Ecosystem::npm || ecosystem == Ecosystem::golang) order = compare_semantic_versions(a, b);
  if (order) return *order;
  const std::string_view epoch_a = take_epoch(a), epoch_b = take_epoch(b);
  if (const int epochs = compare_tokens(ecosystem, epoch_a, epoch_b); epochs != 0) return epochs;
  return compare_tokens(ecosystem, a, b);
}

bool is_older_version(Ecosystem ecosystem, std::string_view a, std::string_view b) {
  return compare_versions(ecosystem, a, b) < 0;
}

}  // namespace kiln

#include "builder/packages/version_schemes.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/text.hpp"

namespace kiln {

namespace {

bool is_version_digit(char c) { return c >= '0' && c <= '9'; }
bool is_version_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

int sign_of(int order) { return order < 0 ? -1 : (order > 0 ? 1 : 0); }

// Takes the digits at the front, without zeros that lead.
std::string_view take_digits(std::string_view& text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_version_digit);
  std::string_view digits = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(digits.size());
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  return digits;
}

// Numbers of any length, without zeros that lead.
int compare_digits(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return sign_of(a.compare(b));
}

// Lists of numbers; those that are missing are 0.
int compare_releases(const std::vector<std::string_view>& a, const std::vector<std::string_view>& b) {
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    const std::string_view x = i < a.size() ? a[i] : std::string_view(), y = i < b.size() ? b[i] : std::string_view();
    if (const int order = compare_digits(x, y); order != 0) return order;
  }
  return 0;
}

// Where a character of a Debian version stands among those that are no digits; 0 is the end of such a run.
int debian_rank(std::string_view text) {
  if (text.empty() || is_version_digit(text.front())) return 0;
  const char c = text.front();
  if (c == '~') return -1;
  return is_version_letter(c) ? static_cast<unsigned char>(c) : static_cast<unsigned char>(c) + 256;
}

int compare_debian_parts(std::string_view a, std::string_view b) {
  while (!a.empty() || !b.empty()) {
    while (debian_rank(a) != 0 || debian_rank(b) != 0) {
      const int x = debian_rank(a), y = debian_rank(b);
      if (x != y) return x < y ? -1 : 1;
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
    if (const int order = compare_digits(take_digits(a), take_digits(b)); order != 0) return order;
  }
  return 0;
}

struct DebianVersion {
  std::string_view epoch, upstream, revision;

  explicit DebianVersion(std::string_view text) {
    if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
      epoch = text.substr(0, colon);
      text.remove_prefix(colon + 1);
    }
    const std::size_t dash = text.rfind('-');
    upstream = text.substr(0, dash);
    if (dash != std::string_view::npos) revision = text.substr(dash + 1);
  }
};

// A version of PEP 440. Ranks put what is missing at its place: a development release before every pre-release, a
// release behind them.
struct PythonVersion {
  enum Rank { before_all, alpha, beta, candidate, none };

  std::string_view epoch;
  std::vector<std::string_view> release;
  Rank pre = none;
  std::string_view pre_number;
  bool is_post = false;
  std::string_view post_number;
  bool is_development = false;
  std::string_view development_number;
  std::vector<std::string_view> local;
};

// Reads lower-case text from the left.
class PythonVersionReader {
 public:
  explicit PythonVersionReader(std::string_view text) : rest_(text) {}

  std::optional<PythonVersion> read() {
    if (rest_.starts_with('v')) rest_.remove_prefix(1);
    if (!is_at_digit()) return std::nullopt;
    version_.release.push_back(take_digits(rest_));
    if (rest_.starts_with('!')) {
      version_.epoch = version_.release.front();
      version_.release.clear();
      rest_.remove_prefix(1);
      if (!is_at_digit()) return std::nullopt;
      version_.release.push_back(take_digits(rest_));
    }
    while (rest_.size() > 1 && rest_[0] == '.' && is_version_digit(rest_[1])) {
      rest_.remove_prefix(1);
      version_.release.push_back(take_digits(rest_));
    }
    take_pre();
    take_post();
    if (take_word({"dev"})) {
      version_.is_development = true;
      version_.development_number = take_number();
    }
    if (rest_.starts_with('+')) take_local();
    if (!rest_.empty()) return std::nullopt;
    if (version_.is_development && version_.pre == PythonVersion::none && !version_.is_post)
      version_.pre = PythonVersion::before_all;
    return version_;
  }

 private:
  static bool is_separator(char c) { return c == '.' || c == '-' || c == '_'; }
  bool is_at_digit() const { return !rest_.empty() && is_version_digit(rest_.front()); }

  // One of the words, and the separator before it.
  bool take_word(std::initializer_list<std::string_view> words) {
    const std::size_t start = !rest_.empty() && is_separator(rest_.front()) ? 1 : 0;
    for (const std::string_view word : words) {
      if (!rest_.substr(start).starts_with(word)) continue;
      rest_.remove_prefix(start + word.size());
      return true;
    }
    return false;
  }

  std::string_view take_number() {
    if (rest_.size() > 1 && is_separator(rest_[0]) && is_version_digit(rest_[1])) rest_.remove_prefix(1);
    return take_digits(rest_);
  }

  void take_pre() {
    if (take_word({"alpha", "a"})) {
      version_.pre = PythonVersion::alpha;
    } else if (take_word({"beta", "b"})) {
      version_.pre = PythonVersion::beta;
    } else if (take_word({"preview", "pre", "rc", "c"})) {
      version_.pre = PythonVersion::candidate;
    } else {
      return;
    }
    version_.pre_number = take_number();
  }

  // "1.0-1" is a post-release too.
  void take_post() {
    const bool is_short = rest_.size() > 1 && rest_[0] == '-' && is_version_digit(rest_[1]);
    if (!is_short && !take_word({"post", "rev", "r"})) return;
    version_.is_post = true;
    version_.post_number = take_number();
  }

  void take_local() {
    rest_.remove_prefix(1);
    std::size_t start = 0;
    for (std::size_t i = 0; i <= rest_.size(); ++i) {
      if (i < rest_.size() && !is_separator(rest_[i])) continue;
      version_.local.push_back(rest_.substr(start, i - start));
      start = i + 1;
    }
    rest_ = {};
  }

  std::string_view rest_;
  PythonVersion version_;
};

bool is_all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_version_digit);
}

// Identifiers of a semantic pre-release, or segments of a Python's local version: numbers as numbers, words as words.
enum class NumbersSort { before_words, behind_words };
int compare_identifiers(const std::vector<std::string_view>& a, const std::vector<std::string_view>& b,
                        NumbersSort numbers) {
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const bool x = is_all_digits(a[i]), y = is_all_digits(b[i]);
    if (x != y) return (x == (numbers == NumbersSort::before_words)) ? -1 : 1;
    std::string_view left = a[i], right = b[i];
    const int order = x ? compare_digits(take_digits(left), take_digits(right)) : sign_of(left.compare(right));
    if (order != 0) return order;
  }
  if (a.size() == b.size()) return 0;
  return a.size() < b.size() ? -1 : 1;
}

int compare_python(const PythonVersion& a, const PythonVersion& b) {
  if (const int order = compare_digits(a.epoch, b.epoch); order != 0) return order;
  if (const int order = compare_releases(a.release, b.release); order != 0) return order;
  if (a.pre != b.pre) return a.pre < b.pre ? -1 : 1;
  if (const int order = compare_digits(a.pre_number, b.pre_number); order != 0) return order;
  if (a.is_post != b.is_post) return b.is_post ? -1 : 1;
  if (const int order = compare_digits(a.post_number, b.post_number); order != 0) return order;
  if (a.is_development != b.is_development) return a.is_development ? -1 : 1;
  if (const int order = compare_digits(a.development_number, b.development_number); order != 0) return order;
  return compare_identifiers(a.local, b.local, NumbersSort::behind_words);
}

struct SemanticVersion {
  std::vector<std::string_view> release;
  std::vector<std::string_view> pre;  // none: a release
};

std::optional<SemanticVersion> read_semantic_version(std::string_view text) {
  text = text.substr(0, text.find('+'));
  if (text.starts_with('v')) text.remove_prefix(1);
  SemanticVersion version;
  const std::size_t dash = text.find('-');
  std::string_view release = text.substr(0, dash);
  for (std::string_view part : split(release, '.')) {
    if (!is_all_digits(part)) return std::nullopt;
    version.release.push_back(take_digits(part));
  }
  if (dash != std::string_view::npos) version.pre = split(text.substr(dash + 1), '.');
  return version;
}

}  // namespace

int compare_debian_versions(std::string_view a, std::string_view b) {
  const DebianVersion x(a), y(b);
  if (const int order = compare_debian_parts(x.epoch, y.epoch); order != 0) return order;
  if (const int order = compare_debian_parts(x.upstream, y.upstream); order != 0) return order;
  return compare_debian_parts(x.revision, y.revision);
}

std::optional<int> compare_python_versions(std::string_view a, std::string_view b) {
  const std::string left = to_lower(trim(a)), right = to_lower(trim(b));
  const auto x = PythonVersionReader(left).read(), y = PythonVersionReader(right).read();
  if (!x || !y) return std::nullopt;
  return compare_python(*x, *y);
}

std::optional<int> compare_semantic_versions(std::string_view a, std::string_view b) {
  const auto x = read_semantic_version(a), y = read_semantic_version(b);
  if (!x || !y) return std::nullopt;
  if (const int order = compare_releases(x->release, y->release); order != 0) return order;
  if (x->pre.empty() != y->pre.empty()) return y->pre.empty() ? -1 : 1;
  return compare_identifiers(x->pre, y->pre, NumbersSort::before_words);
}

}  // namespace kiln

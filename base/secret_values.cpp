#include "base/secret_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "base/credentials.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

using Values = std::vector<std::string>;  // the longest first: one may be a part of another

constexpr std::size_t kFewCharacters = 6;
constexpr std::size_t kLeastOfPart = 4;
// A text is searched for each of them.
constexpr std::size_t kMostMadeValues = 1000;
constexpr std::string_view kDelimiters = " \t\r\n/\\:;,@=?&#|'\"()[]{}<>";

bool is_switch(std::string_view value) {
  constexpr std::array<std::string_view, 8> kSwitches = {"true", "false", "yes", "no", "on", "off", "none", "basic"};
  return std::find(kSwitches.begin(), kSwitches.end(), to_lower(value)) != kSwitches.end();
}

bool is_of_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

bool is_whole_word(std::string_view text, std::size_t at, std::size_t size) {
  return (at == 0 || !is_of_word(text[at - 1])) && (at + size == text.size() || !is_of_word(text[at + size]));
}

bool has_word(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    if (is_whole_word(text, at, word.size())) return true;
  }
  return false;
}

std::string with_mask(const std::string& text, const std::string& value) {
  return with_mask_for(text, value, [&](std::size_t at, std::size_t size) {
    return value.size() >= kFewCharacters || is_whole_word(text, at, size);
  });
}

std::string with_masks(std::string_view text, const Values& values) {
  std::string result(text);
  for (const std::string& value : values) result = with_mask(result, value);
  return result;
}

std::string as_path(std::string_view value) {
  std::string path = std::filesystem::path("/" + std::string(value)).lexically_normal().string();
  path.erase(0, 1);
  if (path.ends_with('/')) path.pop_back();
  return path;
}

// "https" of a URL says nothing, and stands in many messages.
bool is_scheme(std::string_view text, std::size_t end) { return text.substr(end).starts_with("://"); }

Values parts_of(std::string_view value) {
  Values parts = {as_path(value)};
  for (std::size_t begin = 0; begin < value.size();) {
    const std::size_t end = std::min(value.find_first_of(kDelimiters, begin), value.size());
    if (!is_scheme(value, end)) parts.emplace_back(value.substr(begin, end - begin));
    begin = end + 1;
  }
  std::erase_if(parts, [&](const std::string& part) { return part.size() < kLeastOfPart || part == value; });
  return parts;
}

}  // namespace

bool looks_like_secret(std::string_view name) {
  constexpr std::array kMarks = {"TOKEN",   "PASSWORD", "PASSWD",     "SECRET", "CREDENTIAL", "APIKEY", "API_KEY",
                                 "PRIVATE", "AUTH",     "ACCESS_KEY", "_KEY",   "SIGNATURE",  "COOKIE"};
  std::string upper = to_upper(name);
  for (std::size_t at = upper.find("AUTHOR"); at != std::string::npos; at = upper.find("AUTHOR", at + 1)) {
    if (!std::string_view(upper).substr(at).starts_with("AUTHORI")) upper.replace(at, 4, "****");
  }
  for (const char* mark : kMarks) {
    if (upper.find(mark) != std::string::npos) return true;
  }
  return upper.ends_with(" KEY");
}

class SecretValues::Known {
 public:
  std::shared_ptr<const Values> values() const {
    const std::lock_guard lock(mutex_);
    return values_;
  }

  // Each as it is, and as messages quote it.
  void add(const Values& added) {
    const std::lock_guard lock(mutex_);
    Values values = *values_;
    for (const std::string& value : added) {
      if (value.empty() || is_switch(value)) continue;
      for (std::string shown : {value, printable(value)}) {
        if (known_.insert(shown).second) values.push_back(std::move(shown));
      }
    }
    if (values.size() == values_->size()) return;
    sort_for_masking(values);
    values_ = std::make_shared<const Values>(std::move(values));
  }

  // One that a modifier made; false for more of these than can be searched for.
  bool add_made(const std::string& value) {
    {
      const std::lock_guard lock(mutex_);
      if (known_.count(value) != 0) return true;
      if (made_ == kMostMadeValues) return false;
      ++made_;
    }
    add({value});
    return true;
  }

  // Where there is nothing to hide, nothing is kept.
  void add_public(std::string_view text) {
    const std::lock_guard lock(mutex_);
    if (!values_->empty()) public_.push_back(to_lower(text));
  }
  bool is_public(std::string_view part) const {
    const std::string lower = to_lower(part);
    const std::lock_guard lock(mutex_);
    return std::any_of(public_.begin(), public_.end(), [&](const std::string& text) { return has_word(text, lower); });
  }

 private:
  mutable std::mutex mutex_;
  Values public_;  // in lower case
  std::unordered_set<std::string> known_;
  std::size_t made_ = 0;
  std::shared_ptr<const Values> values_ = std::make_shared<const Values>();
};

SecretValues::SecretValues() : known_(std::make_shared<Known>()) {}

void SecretValues::add(const std::map<std::string, std::string, std::less<>>& args) const {
  Values values;
  for (const auto& [name, value] : args) {
    if (looks_like_secret(name)) values.push_back(value);
  }
  known_->add(values);
}

void SecretValues::add_made_of(std::string_view before, const std::string& after) const {
  const auto values = known_->values();
  if (after.size() < kLeastOfPart || values->empty() || known_->is_public(after)) return;
  if (with_masks(before, *values) != before && !known_->add_made(after)) {
    throw Error(Category::usage, fmt::format("modifiers of variables make more than {} values of secrets, which cannot "
                                             "all be kept out of messages",
                                             kMostMadeValues));
  }
}

void SecretValues::add_parts_of(std::string_view value) const {
  Values parts;
  for (const std::string& secret : *known_->values()) {
    if (with_masks(value, {secret}) == value) continue;
    for (std::string& part : parts_of(secret)) {
      if (!known_->is_public(part)) parts.push_back(std::move(part));
    }
  }
  if (!parts.empty()) known_->add(parts);
}

void SecretValues::add_public(std::string_view text) const { known_->add_public(text); }

std::string SecretValues::masked(std::string_view text) const { return with_masks(text, *known_->values()); }

Error SecretValues::masked(const Error& error) const {
  return Error(error.category(), masked(error.message())).set_detail(masked(error.detail()));
}

}  // namespace kiln

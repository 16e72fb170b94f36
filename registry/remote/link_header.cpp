#include "registry/remote/link_header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::size_t kMostShown = 200;

// What a list may link to besides its next page (of IANA's registry of link relations).
constexpr std::array<std::string_view, 24> kElsewhere = {
    "about",    "alternate", "author", "canonical",    "collection",  "describedby", "dns-prefetch", "first",
    "help",     "icon",      "last",   "license",      "preconnect",  "prefetch",    "preload",      "prev",
    "previous", "related",   "self",   "service-desc", "service-doc", "start",       "stylesheet",   "up"};

class LinkReader {
 public:
  LinkReader(std::string_view field, std::string_view where) : field_(field), rest_(field), where_(where) {}

  std::vector<WebLink> run() {
    std::vector<WebLink> links;
    for (;;) {
      // Empty elements of a list are allowed (RFC 9110, 5.6.1).
      rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t,"), rest_.size()));
      if (rest_.empty()) return links;
      links.push_back(link());
      skip_space();
      if (!rest_.empty() && rest_.front() != ',') fail();
    }
  }

 private:
  [[noreturn]] void fail() const {
    // A target may hold a signature behind its '?'.
    const std::string_view shown = field_.substr(0, std::min(field_.find('?'), kMostShown));
    throw Error(Category::network,
                fmt::format("{}: its Link field '{}' cannot be read, so that the next page cannot be found", where_,
                            printable(shown)));
  }

  void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size())); }

  WebLink link() {
    WebLink result;
    result.target = target();
    bool has_relation = false;
    for (skip_space(); !rest_.empty() && rest_.front() == ';'; skip_space()) {
      rest_.remove_prefix(1);
      skip_space();
      const std::string name = to_lower(token());
      skip_space();
      std::string value;
      if (!rest_.empty() && rest_.front() == '=') {
        if (name.empty()) fail();
        rest_.remove_prefix(1);
        skip_space();
        value = !rest_.empty() && rest_.front() == '"' ? quoted() : token();
      }
      // The first one counts (RFC 8288, 3.3).
      if (name == "rel" && !std::exchange(has_relation, true)) result.relations = relations(value);
    }
    return result;
  }

  std::string target() {
    if (rest_.front() == '<') {
      const std::size_t close = rest_.find('>');
      if (close == std::string_view::npos || close == 1) fail();
      const std::string found(trim(rest_.substr(1, close - 1)));
      rest_.remove_prefix(close + 1);
      return found;
    }
    if (rest_.front() != '/' && !is_http_url(rest_)) fail();
    const std::size_t end = std::min(rest_.find_first_of("; \t"), rest_.size());
    const std::string found(trim(rest_.substr(0, end)));
    rest_.remove_prefix(end);
    return found;
  }

  std::string token() {
    const std::size_t end = std::min(rest_.find_first_of(";,= \t\"<>"), rest_.size());
    const std::string found(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return found;
  }

  std::string quoted() {
    std::string found;
    for (rest_.remove_prefix(1); !rest_.empty();) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return found;
      if (c == '\\' && !rest_.empty()) {
        found += rest_.front();
        rest_.remove_prefix(1);
      } else {
        found += c;
      }
    }
    fail();  // it does not end
  }

  static std::vector<std::string> relations(std::string_view value) {
    if (value.size() >= 2 && value.starts_with('\'') && value.ends_with('\''))
      value = value.substr(1, value.size() - 2);
    std::vector<std::string> found;
    for (const std::string_view word : split(value, ' ')) {
      if (!trim(word).empty()) found.push_back(to_lower(trim(word)));
    }
    return found;
  }

  std::string_view field_;
  std::string_view rest_;
  std::string_view where_;
};

}  // namespace

std::vector<WebLink> parse_links(std::string_view field, std::string_view where) {
  return LinkReader(trim(field), where).run();
}

std::optional<std::string> next_page(const HttpHeaders& headers, std::string_view where) {
  std::optional<std::string> next;
  for (const std::string& field : headers.all("Link")) {
    for (const WebLink& link : parse_links(field, where)) {
      const auto has = [&](std::string_view relation) {
        return std::find(link.relations.begin(), link.relations.end(), relation) != link.relations.end();
      };
      if (!link.relations.empty() && !has("next")) {
        if (std::any_of(kElsewhere.begin(), kElsewhere.end(), has)) continue;
        throw Error(Category::network,
                    fmt::format("{}: its Link field has the relation '{}', which is not known, so that the next page "
                                "cannot be found",
                                where, printable(std::string_view(link.relations.front()).substr(0, kMostShown))));
      }
      if (next && *next != link.target)
        throw Error(Category::network, fmt::format("{}: its Link fields name two different next pages", where));
      next = link.target;
    }
  }
  return next;
}

}  // namespace kiln

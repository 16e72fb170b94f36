#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace kiln {

// Keeps the values of a RUN's secrets out of the URLs that it asked for. A secret is often a file of several, of which
// a program takes one: .netrc, pip.conf, .env, a docker login.
//
// What is masked of each secret: all of it, each line, and each word of 8 bytes and more between white space and the
// delimiters of such files, the names of hosts not among them; base64 of these, with either alphabet and whatever
// stands before them, as in "user:password"; each in letters of either case and percent-encoded in any way. Fewer than
// 4 bytes are found in any text, and not masked.
class SecretMasks {
 public:
  void add(std::string_view secret);
  // With "***" in the place of each.
  std::string masked(std::string_view text) const;

 private:
  void add_text(std::string_view text);
  void add_pattern(std::string_view pattern);

  // In lower case, by their first four bytes, the longest first.
  std::unordered_map<std::string, std::set<std::string, std::greater<>>> patterns_;
};

}  // namespace kiln

#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

// One challenge of a WWW-Authenticate field (RFC 9110, 11.6.1): scheme and parameter names in lower case.
struct Challenge {
  std::string scheme;
  std::map<std::string, std::string> parameters;

  std::string parameter(const std::string& name) const;
};

// All challenges of all the fields given; a field may hold several. What is no challenge is left out, and so
// are parameters that come twice (the first counts).
std::vector<Challenge> parse_challenges(const std::vector<std::string>& fields);

}  // namespace kiln

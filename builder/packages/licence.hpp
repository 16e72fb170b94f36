#pragma once

#include <map>
#include <string>
#include <string_view>

namespace kiln {

// A stated licence in SPDX's terms (SPDX 2.3, annex D). Names that people commonly use are taken for what they mean
// ("Expat" is MIT, "GPL-2+" is GPL-2.0-or-later); what is not known becomes a reference to the words that were stated,
// never a guess.
struct LicenceTerms {
  std::string expression;                         // empty where nothing was stated
  std::map<std::string, std::string> references;  // "LicenseRef-..." to the stated words

  bool is_known() const noexcept { return !expression.empty() && references.empty(); }
  // One identifier of SPDX's list and nothing else.
  bool is_identifier() const noexcept { return is_known() && expression.find(' ') == std::string::npos; }
};

LicenceTerms licence_terms(std::string_view stated);

}  // namespace kiln

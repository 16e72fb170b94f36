#include "builder/packages/licence.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/text.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

namespace {

// Of SPDX's list what packages of Debian, Alpine, PyPI and npm mostly have.
constexpr std::string_view kIdentifiers[] = {"0BSD",
                                             "AFL-2.1",
                                             "AGPL-3.0-only",
                                             "AGPL-3.0-or-later",
                                             "Apache-1.1",
                                             "Apache-2.0",
                                             "Artistic-1.0",
                                             "Artistic-2.0",
                                             "BlueOak-1.0.0",
                                             "BSD-1-Clause",
                                             "BSD-2-Clause",
                                             "BSD-3-Clause",
                                             "BSD-4-Clause",
                                             "BSL-1.0",
                                             "bzip2-1.0.6",
                                             "CC-BY-3.0",
                                             "CC-BY-4.0",
                                             "CC-BY-SA-3.0",
                                             "CC-BY-SA-4.0",
                                             "CC0-1.0",
                                             "CDDL-1.0",
                                             "curl",
                                             "EPL-1.0",
                                             "EPL-2.0",
                                             "EUPL-1.2",
                                             "FTL",
                                             "GFDL-1.1-or-later",
                                             "GFDL-1.2-only",
                                             "GFDL-1.2-or-later",
                                             "GFDL-1.3-only",
                                             "GPL-1.0-only",
                                             "GPL-1.0-or-later",
                                             "GPL-2.0-only",
                                             "GPL-2.0-or-later",
                                             "GPL-3.0-only",
                                             "GPL-3.0-or-later",
                                             "HPND",
                                             "ICU",
                                             "IJG",
                                             "ISC",
                                             "LGPL-2.0-only",
                                             "LGPL-2.0-or-later",
                                             "LGPL-2.1-only",
                                             "LGPL-2.1-or-later",
                                             "LGPL-3.0-only",
                                             "LGPL-3.0-or-later",
                                             "libpng-2.0",
                                             "MIT",
                                             "MIT-0",
                                             "MPL-1.1",
                                             "MPL-2.0",
                                             "NCSA",
                                             "OFL-1.1",
                                             "OpenSSL",
                                             "PostgreSQL",
                                             "PSF-2.0",
                                             "Python-2.0",
                                             "Ruby",
                                             "TCL",
                                             "Unicode-DFS-2016",
                                             "Unlicense",
                                             "Vim",
                                             "W3C",
                                             "WTFPL",
                                             "X11",
                                             "Zlib",
                                             "ZPL-2.1",
                                             "GFDL-1.3-or-later"};

constexpr std::string_view kExceptions[] = {"Autoconf-exception-2.0",  "Autoconf-exception-3.0", "Bison-exception-2.2",
                                            "Classpath-exception-2.0", "GCC-exception-3.1",      "LLVM-exception",
                                            "Libtool-exception",       "Linux-syscall-note"};

struct Alias {
  std::string_view name;  // in lower case
  std::string_view identifier;
};
// Debian's short names (DEP 5), PyPI's classifiers, and identifiers that SPDX has since replaced.
constexpr Alias kAliases[] = {
    {"expat", "MIT"},
    {"mit license", "MIT"},
    {"the mit license", "MIT"},
    {"the mit license (mit)", "MIT"},
    {"mit/expat", "MIT"},
    {"mit-expat", "MIT"},
    {"isc license (iscl)", "ISC"},
    {"isc license", "ISC"},
    {"apache 2.0", "Apache-2.0"},
    {"apache-2", "Apache-2.0"},
    {"apache license 2.0", "Apache-2.0"},
    {"apache license, version 2.0", "Apache-2.0"},
    {"apache license version 2.0", "Apache-2.0"},
    {"bsd 3-clause", "BSD-3-Clause"},
    {"bsd-3", "BSD-3-Clause"},
    {"3-clause bsd license", "BSD-3-Clause"},
    {"bsd 2-clause", "BSD-2-Clause"},
    {"mozilla public license 2.0 (mpl 2.0)", "MPL-2.0"},
    {"the unlicense (unlicense)", "Unlicense"},
    {"psf-2", "PSF-2.0"},
    {"gpl-1", "GPL-1.0-only"},
    {"gpl-1+", "GPL-1.0-or-later"},
    {"gpl-2", "GPL-2.0-only"},
    {"gpl-2.0", "GPL-2.0-only"},
    {"gpl-2+", "GPL-2.0-or-later"},
    {"gpl-2.0+", "GPL-2.0-or-later"},
    {"gpl-3", "GPL-3.0-only"},
    {"gpl-3.0", "GPL-3.0-only"},
    {"gpl-3+", "GPL-3.0-or-later"},
    {"gpl-3.0+", "GPL-3.0-or-later"},
    {"lgpl-2", "LGPL-2.0-only"},
    {"lgpl-2+", "LGPL-2.0-or-later"},
    {"lgpl-2.0+", "LGPL-2.0-or-later"},
    {"lgpl-2.1", "LGPL-2.1-only"},
    {"lgpl-2.1+", "LGPL-2.1-or-later"},
    {"lgpl-3", "LGPL-3.0-only"},
    {"lgpl-3.0", "LGPL-3.0-only"},
    {"lgpl-3+", "LGPL-3.0-or-later"},
    {"lgpl-3.0+", "LGPL-3.0-or-later"},
    {"agpl-3", "AGPL-3.0-only"},
    {"agpl-3+", "AGPL-3.0-or-later"},
    {"gfdl-1.2", "GFDL-1.2-only"},
    {"gfdl-1.2+", "GFDL-1.2-or-later"},
    {"gfdl-1.3", "GFDL-1.3-only"},
    {"gfdl-1.3+", "GFDL-1.3-or-later"},
    {"cc0", "CC0-1.0"},
};

std::optional<std::string> identifier_of(std::string_view word) {
  for (const std::string_view identifier : kIdentifiers) {
    if (equals_ignoring_case(identifier, word)) return std::string(identifier);
  }
  const std::string lower = to_lower(word);
  for (const Alias& alias : kAliases) {
    if (alias.name == lower) return std::string(alias.identifier);
  }
  return std::nullopt;
}

// "LicenseRef-BSD-3-clause-and-GPL": where the words had to be changed for it, with a mark that tells them from others.
std::string reference_to(std::string_view words, LicenceTerms& terms) {
  std::string name;
  for (const char c : words.substr(0, 60)) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
    if (is_plain || !name.ends_with('-')) name += is_plain ? c : '-';
  }
  if (name != words) name += (name.ends_with('-') ? "" : "-") + oci::sha256_of(words).short_hex();
  std::string reference = "LicenseRef-" + name;
  terms.references.emplace(reference, words);
  return reference;
}

// One of several licences that all apply: alternatives of identifiers, each with an exception perhaps. nullopt for
// words that are no such thing.
std::optional<std::string> alternatives(std::string_view text, LicenceTerms& terms) {
  std::vector<std::string> words;
  for (const std::string_view word : split(text, ' ')) {
    if (!word.empty()) words.emplace_back(word);
  }
  std::string expression;
  for (std::size_t i = 0; i < words.size();) {
    if (!expression.empty()) {
      if (!equals_ignoring_case(words[i], "or") || i + 1 == words.size()) return std::nullopt;
      expression += " OR ";
      ++i;
    }
    const auto identifier = identifier_of(words[i]);
    // Alone or among alternatives, a word that is not known is a name of its own.
    expression += identifier ? *identifier : reference_to(words[i], terms);
    ++i;
    if (i < words.size() && equals_ignoring_case(words[i], "with")) {
      const auto exception = i + 1 < words.size()
                                 ? std::find_if(std::begin(kExceptions), std::end(kExceptions),
                                                [&](auto name) { return equals_ignoring_case(name, words[i + 1]); })
                                 : std::end(kExceptions);
      if (exception == std::end(kExceptions)) return std::nullopt;
      expression += fmt::format(" WITH {}", *exception);
      i += 2;
    }
  }
  return expression;
}

// "(A OR B)" without its brackets, where they belong together.
std::string_view without_brackets(std::string_view text) {
  text = trim(text);
  const bool is_pair = text.size() > 1 && text.front() == '(' && text.find(')') == text.size() - 1;
  return is_pair ? trim(text.substr(1, text.size() - 2)) : text;
}

// The parts that "AND" joins outside of brackets.
std::vector<std::string_view> conjuncts(std::string_view text) {
  std::vector<std::string_view> parts;
  constexpr std::string_view kAnd = " and ";
  int depth = 0;
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')') --depth;
    if (depth == 0 && equals_ignoring_case(text.substr(i, kAnd.size()), kAnd)) {
      parts.push_back(text.substr(start, i - start));
      start = i + kAnd.size();
      i = start - 1;
    }
  }
  parts.push_back(text.substr(start));
  return parts;
}

}  // namespace

LicenceTerms licence_terms(std::string_view stated) {
  LicenceTerms terms;
  stated = trim(stated);
  if (stated.empty()) return terms;
  if (const auto identifier = identifier_of(stated)) {
    terms.expression = *identifier;
    return terms;
  }
  std::vector<std::string> parts;
  const std::vector<std::string_view> stated_parts = conjuncts(stated);
  for (const std::string_view part : stated_parts) {
    const std::string_view words = without_brackets(part);
    LicenceTerms of_part;
    std::optional<std::string> expression = identifier_of(words);
    if (!expression) expression = alternatives(words, of_part);
    if (!expression || expression->empty()) {
      of_part.references.clear();
      expression = reference_to(part, of_part);
    }
    terms.references.merge(of_part.references);
    const bool is_choice = expression->find(" OR ") != std::string::npos;
    std::string text = is_choice && stated_parts.size() > 1 ? fmt::format("({})", *expression) : *expression;
    if (std::find(parts.begin(), parts.end(), text) == parts.end()) parts.push_back(std::move(text));
  }
  terms.expression = join(parts, " AND ");
  return terms;
}

}  // namespace kiln

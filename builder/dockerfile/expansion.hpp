#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::dockerfile {

// The value of a variable; nullopt where it is not set (an empty value is set).
using VariableLookup = std::function<std::optional<std::string>(std::string_view)>;

enum class Quotes {
  process,  // quotes group and vanish: words of instructions
  keep,     // quotes group and stay, escapes stay: for a text that is expanded again later
  literal,  // a quote is a character like any other: heredocs
};

// What a modifier made of a value that it cuts or replaces something of.
struct ModifiedValue {
  std::string name;  // of the variable
  std::string value;
  auto operator<=>(const ModifiedValue&) const = default;
};

struct ExpansionOptions {
  char escape = '\\';
  Quotes quotes = Quotes::process;
  // Told of each as it is made: an error of what comes behind may show it.
  std::function<void(const ModifiedValue&)> modified = {};
};

struct Expansion {
  std::string text;
  std::vector<std::string> words;    // `text` split at white space outside of quotes; expanded values split too
  std::set<std::string> used;        // names that were asked for and set
  std::set<std::string> unset;       // names that were asked for and not set
  std::set<ModifiedValue> modified;  // by # ## % %% / //
};

// Replaces variables in a word the way docker does: $x ${x} and, after the name, :- - :+ + :? ? # ## % %% /
// //. Throws Error{usage} for bad substitutions, missing quotes or braces, and for ${x?} of an unset x.
Expansion expand(std::string_view word, const VariableLookup& lookup, const ExpansionOptions& options = {});

// The text alone.
std::string expand_word(std::string_view word, const VariableLookup& lookup, char escape = '\\');

}  // namespace kiln::dockerfile

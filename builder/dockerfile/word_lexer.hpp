#pragma once

#include <string_view>

#include "builder/dockerfile/expansion.hpp"

// Shared by expansion.cpp and the parser's search for heredocs; not part of the room's interface.
namespace kiln::dockerfile {

struct LexerOptions {
  char escape = '\\';
  bool keep_quotes = false;   // quotes group, and stay in the result
  bool keep_escapes = false;  // an escape takes effect, and stays in the result
  bool quotes_are_text = false;
  bool keep_unset = false;  // an unset variable stays as it is written
  std::function<void(const ModifiedValue&)> modified = {};
};

Expansion lex_word(std::string_view word, const VariableLookup& lookup, const LexerOptions& options);

}  // namespace kiln::dockerfile

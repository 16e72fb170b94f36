#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/dockerfile/syntax.hpp"

// How the rest of a line behind an instruction's keyword falls into arguments. Inside of the room only. What
// does not fit throws Error{usage} without a place: the caller knows the lines.
namespace kiln::dockerfile {

// Keyword, flags, arguments (and for ONBUILD the child) of one logical line. `lines`, `comments` and
// `heredocs` are left to the caller. An unknown keyword makes a node without arguments.
Node node_of_line(std::string_view line, char escape);

// Words that quotes and escapes hold together; both stay in the words.
std::vector<std::string> split_words(std::string_view text, char escape);

std::vector<Heredoc> heredocs_of_line(std::string_view line);

// A JSON array of strings. `not_json`: it is none, the text is to be read another way.
enum class JsonForm { array, not_json };
JsonForm parse_json_words(std::string_view text, std::vector<std::string>& words);

}  // namespace kiln::dockerfile

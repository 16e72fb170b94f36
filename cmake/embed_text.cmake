# cmake -DOUT=FILE.cpp -DINPUTS="NAME=PATH;..." [-DTABLE=FUNCTION] -P embed_text.cmake
#
# Writes a source with one function for each text, `std::string_view NAME()` in namespace kiln::embedded; with TABLE one function
# for all of them, `std::span<const std::pair<std::string_view, std::string_view>> FUNCTION()`: names and texts.
set(content "// Made by cmake/embed_text.cmake.\n#include <span>\n#include <string_view>\n#include <utility>\n\nnamespace kiln::embedded {\n")
set(rows "")
foreach(input ${INPUTS})
  string(REGEX MATCH "^([a-z_-]+)=(.*)$" _ "${input}")
  set(name ${CMAKE_MATCH_1})
  file(READ "${CMAKE_MATCH_2}" text)
  set(literal "R\"kiln_text(${text})kiln_text\"")
  if(TABLE)
    string(APPEND rows "      {\"${name}\", ${literal}},\n")
  else()
    string(APPEND content "\nstd::string_view ${name}() {\n  return ${literal};\n}\n")
  endif()
endforeach()
if(TABLE)
  string(APPEND content "\nstd::span<const std::pair<std::string_view, std::string_view>> ${TABLE}() {\n"
         "  static constexpr std::pair<std::string_view, std::string_view> kRows[] = {\n${rows}  };\n  return kRows;\n}\n")
endif()
string(APPEND content "\n}  // namespace kiln::embedded\n")
file(WRITE "${OUT}" "${content}")

# cmake -DOUT=FILE.cpp -DINPUTS="FUNCTION=PATH;..." -P embed_text.cmake
#
# Writes a source with one function for each text: `std::string_view FUNCTION()` in namespace kiln::embedded.
set(content "// Made by cmake/embed_text.cmake.\n#include <string_view>\n\nnamespace kiln::embedded {\n")
foreach(input ${INPUTS})
  string(REGEX MATCH "^([a-z_]+)=(.*)$" _ "${input}")
  set(function ${CMAKE_MATCH_1})
  file(READ "${CMAKE_MATCH_2}" text)
  string(APPEND content "\nstd::string_view ${function}() {\n  return R\"kiln_text(${text})kiln_text\";\n}\n")
endforeach()
string(APPEND content "\n}  // namespace kiln::embedded\n")
file(WRITE "${OUT}" "${content}")

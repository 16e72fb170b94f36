# kiln_embed(FILE [TABLE FUNCTION] NAME=PATH...): makes FILE.cpp in the binary folder of these texts (embed_text.cmake).
#
# The target that nothing depends on has no libraries: without it the file would be made, and so the first source of its room
# compiled, when all rooms that its room links are done.
function(kiln_embed file)
  cmake_parse_arguments(ARG "" "TABLE" "" ${ARGN})
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${file}.cpp)
  set(script ${PROJECT_SOURCE_DIR}/cmake/embed_text.cmake)
  set(inputs ${ARG_UNPARSED_ARGUMENTS})
  list(TRANSFORM inputs REPLACE "^[a-z_-]+=" "" OUTPUT_VARIABLE texts)
  add_custom_command(OUTPUT ${out} COMMAND ${CMAKE_COMMAND} -DOUT=${out} "-DINPUTS=${inputs}" -DTABLE=${ARG_TABLE} -P ${script}
                     DEPENDS ${script} ${texts} VERBATIM)
  add_custom_target(kiln_${file} DEPENDS ${out})
  set_property(GLOBAL APPEND PROPERTY kiln_embedded kiln_${file})
endfunction()

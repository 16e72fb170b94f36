# kiln_embed(NAME FUNCTION=PATH...): makes NAME.cpp in the binary folder, with a function for each text (embed_text.cmake).
#
# The target that nothing depends on has no libraries: without it the file would be made, and so the first source of its room
# compiled, when all rooms that its room links are done.
function(kiln_embed name)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  set(script ${PROJECT_SOURCE_DIR}/cmake/embed_text.cmake)
  list(TRANSFORM ARGN REPLACE "^[a-z_]+=" "" OUTPUT_VARIABLE texts)
  add_custom_command(OUTPUT ${out} COMMAND ${CMAKE_COMMAND} -DOUT=${out} "-DINPUTS=${ARGN}" -P ${script} DEPENDS ${script} ${texts} VERBATIM)
  add_custom_target(kiln_${name} DEPENDS ${out})
endfunction()

# kiln_room(NAME [LIGHT] SOURCES ... [LINKS ...] [PRIVATE ...] [TESTS ...])
#
# One static library per folder. LINKS are the rooms it may include (the arrows of the house, checked by
# tests/unit/architecture_test.py), PRIVATE the third-party libraries that only its sources see, TESTS the
# doctest sources of tests/unit/NAME/ that make the executable kiln_NAME_test. LIGHT: nothing here is worth more than -Og,
# which inlines and takes GCC a fifth less time than -O1; most such sources are JSON, whose templates take long to optimise.
#
# KILN_UNITY compiles a room's sources in batches, so that headers are read, and templates instantiated, once for each batch. So
# names in unnamed namespaces are unique within a batch of batches.cmake; tests/unit/architecture_test.py checks it. A room's templates are made once and
# not once for each dozen of sources; a batch of 48 takes GCC 1.4 GB.
set(KILN_UNITY_BATCH 48 CACHE STRING "Sources in a batch of KILN_UNITY")

include(${CMAKE_CURRENT_LIST_DIR}/precompiled.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/embed.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/batches.cmake)

function(kiln_room name)
  cmake_parse_arguments(ARG "LIGHT" "" "SOURCES;LINKS;PRIVATE;TESTS" ${ARGN})
  if(KILN_BATCHES)
    kiln_batched_room(${name} ${ARG_LIGHT} SOURCES ${ARG_SOURCES} PRIVATE ${ARG_PRIVATE})
  else()
    add_library(kiln_${name} STATIC ${ARG_SOURCES})
    target_include_directories(kiln_${name} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(kiln_${name} PUBLIC ${ARG_LINKS} PRIVATE ${ARG_PRIVATE} fmt::fmt Threads::Threads)
    kiln_room_options(kiln_${name} ${ARG_LIGHT})
    if(KILN_UNITY)
      set_target_properties(kiln_${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${KILN_UNITY_BATCH})
    endif()
  endif()
  if(KILN_TESTS AND ARG_TESTS)
    kiln_unit_test(${name} SOURCES ${ARG_TESTS} LINKS kiln_${name} ${ARG_PRIVATE})
  endif()
endfunction()

# kiln_room_options(TARGET IS_LIGHT): how a target with sources of rooms is compiled.
function(kiln_room_options target is_light)
  target_compile_features(${target} PUBLIC cxx_std_20)
  if(is_light)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-Og>)
    kiln_precompile(${target} LIGHT)
  else()
    kiln_precompile(${target})
  endif()
  target_compile_options(${target} PRIVATE ${KILN_SANITIZE_OPTIONS})
  if(KILN_UNITY OR KILN_BATCHES)
    # GCC takes a class that is defined in a source of a batch for one of a header.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  endif()
endfunction()

# kiln_unit_test(NAME SOURCES ... LINKS ...): one doctest executable, registered with ctest.
function(kiln_unit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  list(TRANSFORM ARG_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/tests/unit/${name}/)
  add_executable(kiln_${name}_test)
  kiln_test_sources(kiln_${name}_test ${ARG_SOURCES})
  if(NOT KILN_TEST_OBJECTS)
    # Compiling tests with optimisation costs more than they gain by it.
    target_compile_options(kiln_${name}_test PRIVATE ${KILN_SANITIZE_TEST_OPTIONS} $<$<CONFIG:Release>:-O0>)
    kiln_precompile(kiln_${name}_test TEST)
  endif()
  target_link_libraries(kiln_${name}_test PRIVATE kiln_test_support ${ARG_LINKS} fmt::fmt Threads::Threads)
  add_test(NAME unit_${name} COMMAND kiln_${name}_test)
endfunction()

# kiln_test_sources(TARGET SOURCE...): the sources, or the objects that the target of this name has of them in KILN_TEST_OBJECTS, where CMake
# puts them.
function(kiln_test_sources target)
  if(NOT KILN_TEST_OBJECTS)
    target_sources(${target} PRIVATE ${ARGN})
    return()
  endif()
  file(RELATIVE_PATH folder ${PROJECT_BINARY_DIR} ${CMAKE_CURRENT_BINARY_DIR})
  foreach(source ${ARGN})
    file(RELATIVE_PATH path ${CMAKE_CURRENT_SOURCE_DIR} ${source})
    string(REPLACE "../" "__/" path ${path})
    set(object ${KILN_TEST_OBJECTS}/${folder}/CMakeFiles/${target}.dir/${path}.o)
    set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
    target_sources(${target} PRIVATE ${object})
  endforeach()
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
endfunction()

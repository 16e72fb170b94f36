# kiln_precompile(TARGET [LIGHT] [TEST]): the target's sources begin with a precompiled header of what most of them include
# anyway, the standard library and fmt, where KILN_PRECOMPILE is on. A precompiled header fits one set of options, so rooms that are
# LIGHT have one in a release, all rooms another one elsewhere, and tests one with doctest in it.
#
# Sources still include what they use: a build by no preset has no precompiled headers and would tell.
option(KILN_PRECOMPILE "Use precompiled headers" OFF)

function(kiln_precompile target)
  cmake_parse_arguments(ARG "LIGHT;TEST" "" "" ${ARGN})
  if(NOT KILN_PRECOMPILE)
    return()
  endif()
  set(kind room)
  if(ARG_TEST)
    set(kind test)
  elseif(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT KILN_SANITIZE)
    if(NOT ARG_LIGHT)
      return()  # for one room in one batch it would cost more than it saves
    endif()
    set(kind light)
  endif()
  if(NOT TARGET kiln_precompiled_${kind})
    kiln_precompiled_header(${kind})
  endif()
  target_precompile_headers(${target} REUSE_FROM kiln_precompiled_${kind})
  # ccache keys a source by the precompiled header it names, which GCC leaves in its output with this option only.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -fpch-preprocess)
  endif()
endfunction()

function(kiln_precompiled_header kind)
  set(target kiln_precompiled_${kind})
  set(empty ${PROJECT_BINARY_DIR}/precompiled_${kind}.cpp)
  file(CONFIGURE OUTPUT ${empty} CONTENT "// Carries a precompiled header: cmake/precompiled.cmake.\n")
  add_library(${target} OBJECT ${empty})
  target_link_libraries(${target} PRIVATE fmt::fmt Threads::Threads)
  target_precompile_headers(${target} PRIVATE
    <algorithm> <array> <atomic> <cerrno> <chrono> <condition_variable> <cstdint> <cstring> <deque> <functional> <future> <map> <memory>
    <mutex> <optional> <set> <span> <string> <string_view> <thread> <unordered_map> <utility> <variant> <vector>
    <fmt/format.h>)
  if(kind STREQUAL "test")
    target_precompile_headers(${target} PRIVATE <doctest/doctest.h>)
    target_compile_options(${target} PRIVATE ${KILN_SANITIZE_TEST_OPTIONS} $<$<CONFIG:Release>:-O0>)
  else()
    target_compile_options(${target} PRIVATE $<$<STREQUAL:${kind},light>:-Og> ${KILN_SANITIZE_OPTIONS})
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -fpch-preprocess)
  endif()
endfunction()

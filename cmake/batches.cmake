# KILN_BATCHES compiles rooms together, as KILN_UNITY does with the sources of one room: headers are read, and templates instantiated,
# once for a batch. These take a third less time than a batch for each room.
#
# A batch is a line below. Names in unnamed namespaces are unique within it, which tests/unit/architecture_test.py checks by this list. A batch takes
# GCC up to 2 GB, and no more run at once than fit into the machine's memory. Fewer and longer ones would save little more. The room
# builder/layer is alone because it is compiled with -O2. The longest come first, so that no core waits at the end.
set(KILN_ROOM_BATCHES
  "cli: cli"
  "run: dockerfile packages debian run"
  "remote: base oci store sign netlog remote cache"
  "build: policy attest store_care retention release build"
  "report: report init progress"
  "steps: plan steps solve"
  "definitions: definitions"
  "layer: layer")

# kiln_batched_room(NAME IS_LIGHT SOURCES ... PRIVATE ...): the room's sources go to their batches; the room itself is what others link.
function(kiln_batched_room name is_light)
  cmake_parse_arguments(ARG "" "" "SOURCES;PRIVATE" ${ARGN})
  add_library(kiln_${name} INTERFACE)
  target_link_libraries(kiln_${name} INTERFACE kiln_rooms)
  kiln_batch_of(batch ${name})
  list(TRANSFORM ARG_SOURCES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/ REGEX "^[^/]")
  set_property(GLOBAL APPEND PROPERTY kiln_batch_${batch}_sources ${ARG_SOURCES})
  set_property(GLOBAL PROPERTY kiln_batch_${batch}_is_light ${is_light})
  set_property(GLOBAL APPEND PROPERTY kiln_batch_libraries ${ARG_PRIVATE})
endfunction()

# kiln_batch_of(RESULT ROOM): the batch that has the room.
function(kiln_batch_of result room)
  foreach(line ${KILN_ROOM_BATCHES})
    if(line MATCHES "^([a-z]+):.* ${room}( |$)")
      set(${result} ${CMAKE_MATCH_1} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "builder/${room} is in no batch of cmake/batches.cmake")
endfunction()

# kiln_make_batches(): what all rooms of KILN_BATCHES link, when all of them are known.
function(kiln_make_batches)
  get_property(libraries GLOBAL PROPERTY kiln_batch_libraries)
  list(REMOVE_DUPLICATES libraries)
  list(APPEND libraries fmt::fmt Threads::Threads)
  get_property(embedded GLOBAL PROPERTY kiln_embedded)
  cmake_host_system_information(RESULT memory_mb QUERY TOTAL_PHYSICAL_MEMORY)
  math(EXPR at_once "${memory_mb} / 2560 + 1")
  set_property(GLOBAL APPEND PROPERTY JOB_POOLS kiln_batches=${at_once})

  add_library(kiln_rooms STATIC)
  target_include_directories(kiln_rooms PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(kiln_rooms PUBLIC ${libraries})
  foreach(line ${KILN_ROOM_BATCHES})
    string(REGEX REPLACE ":.*" "" batch ${line})
    get_property(sources GLOBAL PROPERTY kiln_batch_${batch}_sources)
    get_property(light GLOBAL PROPERTY kiln_batch_${batch}_is_light)
    add_library(kiln_batch_${batch} OBJECT ${sources})
    add_dependencies(kiln_batch_${batch} ${embedded})
    target_link_libraries(kiln_batch_${batch} PRIVATE ${libraries})
    target_include_directories(kiln_batch_${batch} PRIVATE ${PROJECT_SOURCE_DIR})
    set_target_properties(kiln_batch_${batch} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0 JOB_POOL_COMPILE kiln_batches)
    kiln_room_options(kiln_batch_${batch} ${light})
    target_sources(kiln_rooms PRIVATE $<TARGET_OBJECTS:kiln_batch_${batch}>)
  endforeach()
endfunction()

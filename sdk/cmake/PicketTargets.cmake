# Dependencies and the few functions that every folder of the tree uses.
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(CURL 7.88 REQUIRED)
set(Protobuf_USE_STATIC_LIBS OFF)
find_package(Protobuf 3.21 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(tl-expected REQUIRED)
find_package(valijson REQUIRED)
find_package(LibArchive REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS program_options json url)
find_package(PkgConfig REQUIRED)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(CARES REQUIRED IMPORTED_TARGET libcares)
pkg_check_modules(IDN2 REQUIRED IMPORTED_TARGET libidn2)
pkg_check_modules(YARA REQUIRED IMPORTED_TARGET yara)
pkg_check_modules(SMBCLIENT IMPORTED_TARGET smbclient)

# Flags for all of our own C++: one INTERFACE target, no global flags.
add_library(picket_flags INTERFACE)
target_compile_options(picket_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-qual $<$<NOT:$<CONFIG:Debug>>:-fstack-protector-strong>
  $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>)
target_compile_definitions(picket_flags INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE PICKET_VERSION="${PROJECT_VERSION}")

# picket_headers(TARGET HEADERS...): what many read first is compiled once, for this target; picket_headers_of(OTHER TARGET) takes it over, where both are
# compiled with the same flags. Only where clang builds all of the tree (preset dev): the other presets build a part, for which it does not pay, and see
# whether a file includes what it uses.
function(picket_headers target)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND NOT PICKET_FUZZ)
    target_precompile_headers(${target} PRIVATE ${ARGN})
    target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")  # ccache compares by content
    set_target_properties(${target} PROPERTIES PICKET_HAS_HEADERS ON)
  endif()
endfunction()
function(picket_headers_of other target)
  if(TARGET ${target} AND NOT other STREQUAL target)
    get_target_property(has_headers ${target} PICKET_HAS_HEADERS)
    if(has_headers)
      target_precompile_headers(${other} REUSE_FROM ${target})
    endif()
  endif()
endfunction()

# picket_library(NAME ROOT dir SOURCES ... DEPS ...): a static library with PUBLIC include root.
function(picket_library name)
  cmake_parse_arguments(A "" "ROOT" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(${name} STATIC ${A_SOURCES})
  target_include_directories(${name} PUBLIC ${A_ROOT})
  target_link_libraries(${name} PUBLIC ${A_DEPS} PRIVATE picket_flags ${A_PRIVATE_DEPS})
  picket_headers_of(${name} picket_base)
endfunction()

# picket_generated(TARGET...): code that protoc wrote is not what the sanitizers look for, and half of the cost of a sanitizer build is their checks.
function(picket_generated)
  foreach(target ${ARGN})
    target_compile_options(${target} PRIVATE $<$<CONFIG:Debug>:-fno-sanitize=address,undefined -g0>)
    set_target_properties(${target} PROPERTIES COMPILE_WARNING_AS_ERROR OFF DISABLE_PRECOMPILE_HEADERS ON)
  endforeach()
endfunction()

# picket_fast(TARGET...): speed before size in a release build, which else is built small: an idle agent is mostly code.
function(picket_fast)
  foreach(target ${ARGN})
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O2>)
  endforeach()
endfunction()

# picket_exports_nothing(TARGET...): programs that load plugins. What a shared library defines, too, is exported else (vtables, inline functions), and a
# plugin that brings another version of that library would be bound to ours. Not under a sanitizer: plugins find its runtime in the program.
function(picket_exports_nothing)
  if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")
    foreach(target ${ARGN})
      target_link_options(${target} PRIVATE -Wl,--version-script=${PROJECT_SOURCE_DIR}/sdk/cmake/no_exports.map)
    endforeach()
  endif()
endfunction()

# picket_test(NAME LABELS unit;... SOURCES ... DEPS ... [TIMEOUT s]): a GoogleTest program, run as one CTest test. Those that may take longest begin first.
# TIMEOUT is for a computer that does little else; on a busy one a test may take three times as long.
function(picket_test name)
  cmake_parse_arguments(A "" "TIMEOUT" "LABELS;SOURCES;DEPS" ${ARGN})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 120)
  endif()
  math(EXPR limit "${A_TIMEOUT} * 3")
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE picket_flags ${A_DEPS} GTest::gmock GTest::gtest_main)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  picket_headers_of(${name} picket_test_headers)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${A_LABELS}" TIMEOUT ${limit} COST ${A_TIMEOUT})
endfunction()

# picket_script_test(NAME LABELS ... COMMAND ... [TIMEOUT s]): a test that is a script; exit 77 means skipped.
function(picket_script_test name)
  cmake_parse_arguments(A "" "TIMEOUT" "LABELS;COMMAND" ${ARGN})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 120)
  endif()
  math(EXPR limit "${A_TIMEOUT} * 3")
  add_test(NAME ${name} COMMAND ${A_COMMAND})
  set_tests_properties(${name} PROPERTIES LABELS "${A_LABELS}" TIMEOUT ${limit} COST ${A_TIMEOUT} SKIP_RETURN_CODE 77
    ENVIRONMENT "PICKET_BIN=${CMAKE_BINARY_DIR}/bin;PICKET_BUILD=${CMAKE_BINARY_DIR};PICKET_SOURCE=${PROJECT_SOURCE_DIR};PYTHONPATH=${PROJECT_SOURCE_DIR}/tests/support;PYTHONDONTWRITEBYTECODE=1")
endfunction()

# picket_fuzz(NAME SOURCES ... DEPS ...): a libFuzzer target (preset fuzz) and, everywhere, a CTest test that replays its corpus.
function(picket_fuzz name)
  cmake_parse_arguments(A "" "CORPUS" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  if(NOT TARGET fuzz_all)
    add_custom_target(fuzz_all)
  endif()
  add_dependencies(fuzz_all ${name})
  target_link_libraries(${name} PRIVATE picket_flags ${A_DEPS})
  picket_headers_of(${name} picket_test_headers)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  if(PICKET_FUZZ)
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    # What it finds goes into the build folder; the seeds are only read.
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz/found/${name})
    add_test(NAME ${name} WORKING_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz/found/${name}
      COMMAND ${name} -seed=1 -runs=200000 -max_total_time=20 -timeout=5 -rss_limit_mb=1024 ${CMAKE_BINARY_DIR}/fuzz/found/${name} ${A_CORPUS})
  else()
    target_sources(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cpp)
    add_test(NAME ${name} COMMAND ${name} ${A_CORPUS})
  endif()
  set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()

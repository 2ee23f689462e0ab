# picket_add_plugin(NAME MANIFEST plugin.json SOURCES ... [DEPS ...]): builds NAME.so as the contract wants it (plugin.h).
# One exported symbol, everything bound at load, nothing of the plugin outlives it by a unique symbol.
set(PICKET_SDK_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR})

function(picket_add_plugin name)
  cmake_parse_arguments(A "" "MANIFEST" "SOURCES;DEPS" ${ARGN})
  add_library(${name} MODULE ${A_SOURCES})
  set_target_properties(${name} PROPERTIES PREFIX "" CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON)
  target_compile_options(${name} PRIVATE -Wall -Wextra -Wpedantic -fstack-protector-strong -fcf-protection
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  target_link_options(${name} PRIVATE -Wl,-z,now -Wl,-z,relro -Wl,--version-script=${PICKET_SDK_CMAKE_DIR}/plugin.map)
  target_link_libraries(${name} PRIVATE picket_sdk ${A_DEPS})
  set_target_properties(${name} PROPERTIES PICKET_MANIFEST ${CMAKE_CURRENT_SOURCE_DIR}/${A_MANIFEST} LINK_DEPENDS ${PICKET_SDK_CMAKE_DIR}/plugin.map)
endfunction()

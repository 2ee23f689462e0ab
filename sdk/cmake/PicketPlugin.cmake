# picket_add_plugin(NAME MANIFEST plugin.json SOURCES ... [DEPS ...] [KEY key.pem] [OUTPUT dir]): builds NAME.so as the contract wants
# it (plugin.h), and packs it, signed, into OUTPUT/<id>/<version>/ (default: the build folder's plugins/). Without KEY a development key
# signs, made once in the build folder: devkey/plugin.key.pem, to be trusted through devkey/plugin.pub.json. The cache variable
# PICKET_PLUGIN_KEY (as from picket-repo key gen: NAME.key.pem, beside it NAME.pub.json) signs all plugins of a build.
# One exported symbol, everything bound at load, nothing of the plugin outlives it by a unique symbol.
# The same file serves the tree itself and authors who find_package(PicketSdk).
set(PICKET_SDK_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR})

function(picket_add_plugin name)
  cmake_parse_arguments(A "NO_PACKAGE" "MANIFEST;KEY;OUTPUT" "SOURCES;DEPS" ${ARGN})
  if(NOT A_OUTPUT)
    set(A_OUTPUT ${CMAKE_BINARY_DIR}/plugins)
  endif()
  get_filename_component(manifest ${A_MANIFEST} ABSOLUTE)
  add_library(${name} MODULE ${A_SOURCES})
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX ".so" CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON)
  target_compile_options(${name} PRIVATE -Wall -Wextra -Wpedantic $<$<NOT:$<CONFIG:Debug>>:-fstack-protector-strong> -fcf-protection
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  target_link_options(${name} PRIVATE -Wl,-z,now -Wl,-z,relro -Wl,-z,noexecstack -Wl,--version-script=${PICKET_SDK_CMAKE_DIR}/plugin.map)
  target_link_libraries(${name} PRIVATE PicketSdk::sdk ${A_DEPS})
  set_target_properties(${name} PROPERTIES PICKET_MANIFEST ${manifest} LINK_DEPENDS "${PICKET_SDK_CMAKE_DIR}/plugin.map;${manifest}"
    BUILD_RPATH "" SKIP_BUILD_RPATH ON)
  if(A_NO_PACKAGE)
    return()
  endif()
  if(NOT TARGET picket-plugin-pack)
    message(WARNING "${name} is not packed: the SDK was installed without picket-plugin-pack")
    return()
  endif()
  if(NOT A_KEY)
    set(A_KEY ${PICKET_PLUGIN_KEY})
  endif()
  if(A_KEY)
    get_filename_component(key ${A_KEY} ABSOLUTE)
    set(sign --key ${key})
  else()
    set(sign --development-key ${CMAKE_BINARY_DIR}/devkey)
  endif()
  add_dependencies(${name} picket-plugin-pack)
  add_custom_command(TARGET ${name} POST_BUILD
    COMMAND picket-plugin-pack --manifest ${manifest} --library $<TARGET_FILE:${name}> ${sign} --output ${A_OUTPUT}
    COMMENT "Packing ${name}" VERBATIM)
endfunction()

# Builds seco_codecs: libdeflate and zstd, decompression only, linked statically into the wheel.
# Their sources come from pinned source archives of the package index (codecs.txt); where no index answers,
# the system's libraries are taken, and where those are missing too, the codec is left out and `seco doctor` says so.
# Why: docs/decisions/0002-codecs-from-source-archives.md
set(SECO_CODECS_DIR "${CMAKE_SOURCE_DIR}/build/codecs" CACHE PATH "Folder of the codecs' source archives")
add_library(seco_codecs INTERFACE)

# Extracts the pinned archives of a folder, and sets deflate_root and zstd_root to what is in those that are there.
function(seco_extract_codecs folder)
  file(STRINGS "${CMAKE_SOURCE_DIR}/cmake/codecs.txt" pins REGEX "^[a-z]+==")
  foreach(pin IN LISTS pins)
    string(REGEX MATCH "^([a-z]+)==([0-9.]+) --hash=sha256:([0-9a-f]+)$" whole "${pin}")
    set(name "${CMAKE_MATCH_1}")
    set(release "${name}-${CMAKE_MATCH_2}")
    set(expected "${CMAKE_MATCH_3}")
    set(archive "${folder}/${release}.tar.gz")
    if(EXISTS "${archive}")
      file(SHA256 "${archive}" found)
      if(NOT found STREQUAL expected)
        message(FATAL_ERROR "seco: ${archive}: expected SHA-256 ${expected}, got ${found}; delete it")
      endif()
      file(ARCHIVE_EXTRACT INPUT "${archive}" DESTINATION "${CMAKE_BINARY_DIR}/codecs")
      set(${name}_root "${CMAKE_BINARY_DIR}/codecs/${release}" PARENT_SCOPE)
    endif()
  endforeach()
endfunction()

# Sets fetched_to to where the archives are; that is a folder of the build where the one of the sources cannot be written.
function(seco_fetch_codecs)
  find_package(Python REQUIRED COMPONENTS Interpreter)
  foreach(folder IN ITEMS "${SECO_CODECS_DIR}" "${CMAKE_BINARY_DIR}/codecs-archives")
    execute_process(
      COMMAND "${Python_EXECUTABLE}" -m pip download --quiet --no-deps --no-binary deflate,zstd --retries 0
              --disable-pip-version-check --require-hashes --dest "${folder}"
              --requirement "${CMAKE_SOURCE_DIR}/cmake/codecs.txt"
      RESULT_VARIABLE failed OUTPUT_QUIET ERROR_VARIABLE said)
    set(fetched_to "${folder}" PARENT_SCOPE)
    if(NOT failed)
      return()
    elseif(said MATCHES "HASH")
      message(FATAL_ERROR "seco: the codecs' sources are not those that cmake/codecs.txt names\n${said}")
    endif()
  endforeach()
  string(STRIP "${said}" said)
  string(REGEX REPLACE ".*\n" "" said "${said}")
  message(STATUS "seco: the codecs' sources cannot be fetched (${said}), looking for system libraries")
endfunction()

function(seco_add_codec name define header library source_dir include_dir)
  if(source_dir)
    file(GLOB sources CONFIGURE_DEPENDS ${ARGN})
    add_library(seco_${name} STATIC ${sources})
    target_include_directories(seco_${name} SYSTEM PUBLIC "${include_dir}")
    set_target_properties(seco_${name} PROPERTIES C_VISIBILITY_PRESET hidden)
    target_link_libraries(seco_codecs INTERFACE seco_${name})
  else()
    find_path(${define}_INCLUDE ${header})
    find_library(${define}_LIBRARY ${library})
    if(NOT ${define}_INCLUDE OR NOT ${define}_LIBRARY)
      message(WARNING "seco: built without ${name}: GDAL reads files that use it, slower")
      return()
    endif()
    target_include_directories(seco_codecs SYSTEM INTERFACE "${${define}_INCLUDE}")
    target_link_libraries(seco_codecs INTERFACE "${${define}_LIBRARY}")
  endif()
  target_compile_definitions(seco_codecs INTERFACE ${define})
endfunction()

seco_extract_codecs("${SECO_CODECS_DIR}")
if(NOT deflate_root OR NOT zstd_root)
  seco_fetch_codecs()
  seco_extract_codecs("${fetched_to}")
endif()
if(deflate_root AND zstd_root)
  set(deflate_dir "${deflate_root}/libdeflate")
  set(zstd_dir "${zstd_root}/zstd/lib")
endif()
seco_add_codec(deflate SECO_WITH_DEFLATE libdeflate.h deflate "${deflate_dir}" "${deflate_dir}"
  "${deflate_dir}/lib/deflate_decompress.c" "${deflate_dir}/lib/zlib_decompress.c" "${deflate_dir}/lib/adler32.c"
  "${deflate_dir}/lib/utils.c" "${deflate_dir}/lib/*/cpu_features.c")
seco_add_codec(zstd SECO_WITH_ZSTD zstd.h zstd "${zstd_dir}" "${zstd_dir}"
  "${zstd_dir}/common/*.c" "${zstd_dir}/decompress/*.c" "${zstd_dir}/decompress/*.S")
if(TARGET seco_zstd)
  target_compile_definitions(seco_zstd PRIVATE ZSTD_LEGACY_SUPPORT=0)
endif()

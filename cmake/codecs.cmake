# Builds seco_codecs: libdeflate and zstd, decompression only, linked statically into the wheel.
# Their sources come from pinned source archives of the package index (codecs.txt); where no index answers,
# the system's libraries are taken, and where those are missing too, the codec is left out and `seco doctor` says so.
# Why: docs/decisions/0002-codecs-from-source-archives.md
set(SECO_CODECS_DIR "${CMAKE_SOURCE_DIR}/build/codecs" CACHE PATH "Folder of the codecs' source archives")
add_library(seco_codecs INTERFACE)

function(seco_fetch_codecs)
  file(GLOB archives "${SECO_CODECS_DIR}/deflate-*.tar.gz" "${SECO_CODECS_DIR}/zstd-*.tar.gz")
  list(LENGTH archives found)
  if(found LESS 2)
    find_package(Python REQUIRED COMPONENTS Interpreter)
    execute_process(
      COMMAND "${Python_EXECUTABLE}" -m pip download --quiet --no-deps --no-binary deflate,zstd --retries 0
              --require-hashes --dest "${SECO_CODECS_DIR}" --requirement "${CMAKE_SOURCE_DIR}/cmake/codecs.txt"
      RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
    if(failed)
      message(STATUS "seco: no package index for the codecs' sources, looking for system libraries")
      return()
    endif()
    file(GLOB archives "${SECO_CODECS_DIR}/deflate-*.tar.gz" "${SECO_CODECS_DIR}/zstd-*.tar.gz")
  endif()
  foreach(archive IN LISTS archives)
    file(ARCHIVE_EXTRACT INPUT "${archive}" DESTINATION "${CMAKE_BINARY_DIR}/codecs")
  endforeach()
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
      message(WARNING "seco: built without ${name}: files that use it cannot be decoded")
      return()
    endif()
    target_include_directories(seco_codecs SYSTEM INTERFACE "${${define}_INCLUDE}")
    target_link_libraries(seco_codecs INTERFACE "${${define}_LIBRARY}")
  endif()
  target_compile_definitions(seco_codecs INTERFACE ${define})
endfunction()

seco_fetch_codecs()
file(GLOB deflate_dir "${CMAKE_BINARY_DIR}/codecs/deflate-*/libdeflate")
file(GLOB zstd_dir "${CMAKE_BINARY_DIR}/codecs/zstd-*/zstd/lib")
seco_add_codec(deflate SECO_WITH_DEFLATE libdeflate.h deflate "${deflate_dir}" "${deflate_dir}"
  "${deflate_dir}/lib/deflate_decompress.c" "${deflate_dir}/lib/zlib_decompress.c" "${deflate_dir}/lib/adler32.c"
  "${deflate_dir}/lib/utils.c" "${deflate_dir}/lib/*/cpu_features.c")
seco_add_codec(zstd SECO_WITH_ZSTD zstd.h zstd "${zstd_dir}" "${zstd_dir}"
  "${zstd_dir}/common/*.c" "${zstd_dir}/decompress/*.c" "${zstd_dir}/decompress/*.S")
if(TARGET seco_zstd)
  target_compile_definitions(seco_zstd PRIVATE ZSTD_LEGACY_SUPPORT=0)
endif()

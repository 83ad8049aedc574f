# Builds seco/_dali.so, the operators for NVIDIA DALI, against the headers of the DALI that is installed beside this Python.
# It loads into that version of DALI only; seco/dali.py says so where it meets another.
set(SECO_DALI AUTO CACHE STRING "Build the DALI plugin: AUTO (when DALI is installed), ON or OFF")
set_property(CACHE SECO_DALI PROPERTY STRINGS AUTO ON OFF)
set(SECO_DALI_SITE "" CACHE PATH "Folder of packages that holds DALI, if it is not that of this Python")

function(seco_find_dali)
  if(SECO_DALI STREQUAL "OFF")
    return()
  endif()
  find_package(Python REQUIRED COMPONENTS Interpreter)
  # -I looks past the environment that pip builds in, which holds build tools only.
  set(site "${SECO_DALI_SITE}")
  if(NOT site)
    execute_process(
      COMMAND "${Python_EXECUTABLE}" -I -c "import sysconfig; print(sysconfig.get_path('purelib'))"
      OUTPUT_VARIABLE site OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
  file(GLOB info "${site}/nvidia_dali_cuda*-*.dist-info")
  # DALI's headers take these two, which CUDA 13 keeps in different folders.
  set(toolkit ${CUDAToolkit_INCLUDE_DIRS} /usr/local/cuda/include)
  find_path(SECO_CUDART_HEADERS cuda_runtime.h HINTS ${toolkit})
  find_path(SECO_CCCL_HEADERS nv/target HINTS ${toolkit} PATH_SUFFIXES cccl)
  if(info MATCHES "-([0-9.]+)\\.dist-info" AND SECO_CUDART_HEADERS AND SECO_CCCL_HEADERS)
    set(SECO_DALI_VERSION "${CMAKE_MATCH_1}" PARENT_SCOPE)
    set(SECO_DALI_DIR "${site}/nvidia/dali" PARENT_SCOPE)
  elseif(SECO_DALI STREQUAL "ON")
    message(FATAL_ERROR "SECO_DALI=ON, but ${site} holds no nvidia-dali-cuda130, or the CUDA toolkit's headers are missing: "
                        "pip install nvidia-dali-cuda130, and install the toolkit")
  endif()
endfunction()

set(SECO_DALI_VERSION "")
seco_find_dali()
message(STATUS "seco: DALI plugin for ${SECO_DALI_VERSION}")
target_compile_definitions(_core PRIVATE SECO_DALI_VERSION="${SECO_DALI_VERSION}")
if(SECO_DALI_VERSION)
  add_library(_dali MODULE
    csrc/dali/augment_views.cpp
    csrc/dali/decode_geotiff.cpp
    csrc/dali/geotiff_batch.cpp
    csrc/dali/read_range.cpp
    csrc/dali/stages.cpp
    csrc/dali/view_arguments.cpp)
  # DALI's own headers are not ours to warn about, and it exports what the plugin shares with it.
  target_include_directories(_dali SYSTEM PRIVATE "${SECO_DALI_DIR}/include" "${SECO_CUDART_HEADERS}" "${SECO_CCCL_HEADERS}")
  target_link_directories(_dali PRIVATE "${SECO_DALI_DIR}")
  target_link_libraries(_dali PRIVATE seco_cpu dali dali_core)
  target_compile_options(_dali PRIVATE -Wno-unused-parameter -Wno-pedantic -Wno-free-nonheap-object)
  target_link_options(_dali PRIVATE "LINKER:--exclude-libs,ALL")
  set_target_properties(_dali PROPERTIES PREFIX "")
  if(SECO_WITH_CUDA)
    target_sources(_dali PRIVATE
      csrc/cuda/decode_geotiff.cu
      csrc/cuda/nvcomp.cpp
      csrc/cuda/staging.cpp
      csrc/dali/augment_views_gpu.cpp
      csrc/dali/decode_geotiff_mixed.cpp)
    # nvCOMP comes with DALI: its headers are needed here, its library when something is decoded on the GPU.
    target_include_directories(_dali SYSTEM PRIVATE "${SECO_DALI_DIR}/../libnvcomp/include")
    target_link_libraries(_dali PRIVATE seco_cuda)
    set_target_properties(_dali PROPERTIES INSTALL_RPATH "$ORIGIN/../nvidia/libnvcomp/lib64")
  endif()
  install(TARGETS _dali LIBRARY DESTINATION seco)
endif()

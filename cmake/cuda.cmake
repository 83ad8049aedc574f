# Decides whether the CUDA half is built, and sets SECO_WITH_CUDA.
# enable_language(CUDA) reads CMAKE_CUDA_ARCHITECTURES, so this file runs before any target is made.
set(SECO_WITH_CUDA OFF)
if(NOT SECO_CUDA STREQUAL "OFF")
  include(CheckLanguage)
  if(NOT CMAKE_CUDA_COMPILER)  # remembered from when there was no nvcc
    unset(CMAKE_CUDA_COMPILER CACHE)
  endif()
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_ARCHITECTURES "${SECO_CUDA_ARCHITECTURES}")
    enable_language(CUDA)
    find_package(CUDAToolkit REQUIRED)
    set(SECO_WITH_CUDA ON)
  elseif(SECO_CUDA STREQUAL "ON")
    message(FATAL_ERROR "SECO_CUDA=ON, but no CUDA compiler was found: install the CUDA toolkit, or set CUDACXX to nvcc")
  endif()
endif()
message(STATUS "seco: CUDA half ${SECO_WITH_CUDA} ${CMAKE_CUDA_ARCHITECTURES}")

# Finds the CUDA toolkit. The product is complete without it.
set(REVOXEL_HAS_CUDA OFF)
function(revoxel_cuda_summary text)
    message(STATUS "${text}")
    set(REVOXEL_CUDA_SUMMARY "${text}" CACHE INTERNAL "What the scripts say about CUDA")
endfunction()

if(REVOXEL_CUDA STREQUAL "OFF")
    revoxel_cuda_summary("REVOXEL_CUDA=OFF: the CUDA targets are left out, the CPU product is complete")
    return()
endif()

include(CheckLanguage)
if("${CMAKE_CUDA_COMPILER}" STREQUAL "NOTFOUND")
    unset(CMAKE_CUDA_COMPILER CACHE)  # the toolkit may have come since
endif()
find_program(REVOXEL_NVCC nvcc PATHS /usr/local/cuda/bin)
mark_as_advanced(REVOXEL_NVCC)
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX} AND REVOXEL_NVCC)
    set(CMAKE_CUDA_COMPILER ${REVOXEL_NVCC})
endif()
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
    if(REVOXEL_CUDA STREQUAL "ON")
        message(FATAL_ERROR "REVOXEL_CUDA=ON, but no working CUDA compiler was found. "
                            "Install the CUDA toolkit (13 is what revoxel is built with) or set CUDACXX.")
    endif()
    revoxel_cuda_summary("CUDA toolkit not found: the CUDA targets are left out, the CPU product is complete")
    return()
endif()

set(REVOXEL_HAS_CUDA ON)
if(NOT CMAKE_CUDA_ARCHITECTURES AND NOT DEFINED ENV{CUDAARCHS})
    # Turing to Blackwell; PTX of the last is for what follows.
    set(CMAKE_CUDA_ARCHITECTURES 75-real 80-real 86-real 89-real 90-real 100-real 120)
endif()
enable_language(CUDA)  # takes CUDAARCHS from the environment
find_package(CUDAToolkit REQUIRED)
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_EXTENSIONS OFF)
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)

# The flags of revoxel_options, for nvcc and for the host compiler behind it.
target_compile_options(revoxel_options INTERFACE
    $<$<COMPILE_LANGUAGE:CUDA>:-fmad=false;--expt-relaxed-constexpr;-Xcompiler=-ffp-contract=off,-fno-fast-math,-Wall,-Wextra,-Wshadow>)
if(REVOXEL_WERROR)
    target_compile_options(revoxel_options INTERFACE
        $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings;-Xcompiler=-Werror>)
endif()
revoxel_cuda_summary("CUDA ${CMAKE_CUDA_COMPILER_VERSION}: the CUDA targets are compiled for ${CMAKE_CUDA_ARCHITECTURES}")

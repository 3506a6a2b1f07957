# Flags that every target of revoxel is compiled with.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)  # every program in one place: build/<preset>/bin/revoxel
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(CCACHE ccache)
if(CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(revoxel_options INTERFACE)
# Equal bits everywhere: no contraction of a*b+c behind our back, no fast-math, in every build type. Executors say fma
# where they mean it.
target_compile_options(revoxel_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off;-fno-fast-math>
    $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion;-Wno-sign-conversion>)
if(REVOXEL_WERROR)
    target_compile_options(revoxel_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
if(REVOXEL_SANITIZE)
    # Recovering from undefined behaviour would let a test pass over it.
    add_compile_options($<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${REVOXEL_SANITIZE}>
                        $<$<COMPILE_LANGUAGE:C,CXX>:-fno-sanitize-recover=all>
                        $<$<COMPILE_LANGUAGE:C,CXX>:-fno-omit-frame-pointer>)
    add_link_options(-fsanitize=${REVOXEL_SANITIZE})
endif()
if(REVOXEL_STATIC)
    # The shared libraries that are carried along lie beside the programs. The same list in the build tree and installed:
    # where the two differ, CMake pads with empty entries, and an empty entry is the current folder.
    set(CMAKE_INSTALL_RPATH "$ORIGIN")
    set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
    target_link_options(revoxel_options INTERFACE -static-libstdc++ -static-libgcc)
endif()

# Installs the build tree, checks the prefix, builds and runs the project beside this file on it.
cmake_minimum_required(VERSION 3.25)
set(work ${REVOXEL_BINARY_DIR}/consumer)
set(prefix ${work}/prefix)
file(REMOVE_RECURSE ${work})

function(run)
    execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE out ERROR_VARIABLE out RESULT_VARIABLE result)
    if(NOT result EQUAL 0)
        list(JOIN ARGN " " command)
        message(FATAL_ERROR "${command}\n${out}")
    endif()
    set(out "${out}" PARENT_SCOPE)
endfunction()

run(${CMAKE_COMMAND} --install ${REVOXEL_BINARY_DIR} --prefix ${prefix})
foreach(file bin/revoxel include/revoxel/revoxel.hpp share/man/man1/revoxel.1
             share/bash-completion/completions/revoxel share/zsh/site-functions/_revoxel
             share/fish/vendor_completions.d/revoxel.fish share/doc/revoxel/LICENSE)
    if(NOT EXISTS ${prefix}/${file})
        message(FATAL_ERROR "not installed: ${file}")
    endif()
    file(SIZE ${prefix}/${file} size)
    if(size EQUAL 0)
        message(FATAL_ERROR "installed, but empty: ${file}")
    endif()
endforeach()

# Nothing installed may point back here.
file(GLOB_RECURSE texts ${prefix}/*.cmake ${prefix}/*.hpp ${prefix}/share/*)
foreach(file ${texts})
    file(STRINGS ${file} lines)
    foreach(tree "${REVOXEL_BINARY_DIR}" "${REVOXEL_SOURCE_DIR}")
        string(FIND "${lines}" "${tree}/" at)
        if(NOT at EQUAL -1)
            message(FATAL_ERROR "${file} names ${tree}")
        endif()
    endforeach()
endforeach()

run(${prefix}/bin/revoxel --version)
if(NOT out MATCHES "${REVOXEL_VERSION}")
    message(FATAL_ERROR "the installed program says\n${out}\nexpected version ${REVOXEL_VERSION}")
endif()

# A prefix that was moved must work as well.
file(RENAME ${prefix} ${work}/moved)
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${work}/build -G ${GENERATOR} -DCMAKE_BUILD_TYPE=Release
    -DCMAKE_CXX_COMPILER=${CXX_COMPILER} -DCMAKE_PREFIX_PATH=${work}/moved)
run(${CMAKE_COMMAND} --build ${work}/build)
run(${work}/build/consumer ${REVOXEL_SOURCE_DIR}/tests/data/t1_head.nii.gz)
# 128 x 2 mm, 128 x 2 mm, 62 x 3 mm at 1 mm
if(NOT out STREQUAL "revoxel ${REVOXEL_VERSION}: 12189696 voxels\n")
    message(FATAL_ERROR "the consumer printed\n${out}")
endif()
message("${out}")

# Third-party libraries, each behind one target. Debian packages: `build_packages` in .ci/setup.sh. What a user of the static
# library must link is named a second time in revoxelConfig.cmake.in.
if(REVOXEL_STATIC)
    set(CMAKE_FIND_LIBRARY_SUFFIXES .a .so)
endif()
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)           # used header-only: Debian has no static libfmt
find_package(nlohmann_json 3 REQUIRED)
find_package(CLI11 REQUIRED)
find_package(PNG REQUIRED)
# NIFTIConfig.cmake of Debian also demands the tools of nifti-bin, so the library is found by hand.
find_path(NIFTI_INCLUDE_DIR nifti/nifti2_io.h REQUIRED)
find_library(NIFTI2_LIBRARY nifti2 REQUIRED)
find_library(ZNZ_LIBRARY znz REQUIRED)
find_package(ZLIB REQUIRED)  # znz calls it
add_library(revoxel_niftilib INTERFACE)
target_include_directories(revoxel_niftilib SYSTEM INTERFACE ${NIFTI_INCLUDE_DIR})
target_link_libraries(revoxel_niftilib INTERFACE ${NIFTI2_LIBRARY} ${ZNZ_LIBRARY} ZLIB::ZLIB m)
find_path(ISAL_INCLUDE_DIR isa-l/igzip_lib.h REQUIRED)
find_library(ISAL_LIBRARY isal REQUIRED)
add_library(revoxel_isal INTERFACE)
target_include_directories(revoxel_isal SYSTEM INTERFACE ${ISAL_INCLUDE_DIR})
target_link_libraries(revoxel_isal INTERFACE ${ISAL_LIBRARY})

if(REVOXEL_STATIC)
    # Debian has libisal as a shared library only. It is laid beside the programs, which look for it there first.
    set(REVOXEL_CARRIED_LIBRARIES)
    foreach(library ${NIFTI2_LIBRARY} ${ZNZ_LIBRARY} ${ISAL_LIBRARY} ${PNG_LIBRARIES} ${ZLIB_LIBRARIES})
        if(library MATCHES "[.]so$")
            file(REAL_PATH ${library} real)
            execute_process(COMMAND ${CMAKE_OBJDUMP} -p ${real} OUTPUT_VARIABLE dump COMMAND_ERROR_IS_FATAL ANY)
            string(REGEX MATCH "SONAME +([^ \n]+)" soname "${dump}")
            configure_file(${real} ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/${CMAKE_MATCH_1} COPYONLY)
            list(APPEND REVOXEL_CARRIED_LIBRARIES ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/${CMAKE_MATCH_1})
        endif()
    endforeach()
    message(STATUS "Carried beside the programs: ${REVOXEL_CARRIED_LIBRARIES}")
endif()

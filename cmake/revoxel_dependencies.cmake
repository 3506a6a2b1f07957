# Third-party libraries, each behind one target. Debian packages: see `packages` in ./quickstart.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)           # used header-only: Debian has no static libfmt
find_package(nlohmann_json 3 REQUIRED)
find_package(CLI11 REQUIRED)
find_package(PNG REQUIRED)
# NIFTIConfig.cmake of Debian also demands the tools of nifti-bin, so the library is found by hand.
find_path(NIFTI_INCLUDE_DIR nifti/nifti2_io.h REQUIRED)
find_library(NIFTI2_LIBRARY nifti2 REQUIRED)
find_library(ZNZ_LIBRARY znz REQUIRED)
add_library(revoxel_niftilib INTERFACE)
target_include_directories(revoxel_niftilib SYSTEM INTERFACE ${NIFTI_INCLUDE_DIR})
target_link_libraries(revoxel_niftilib INTERFACE ${NIFTI2_LIBRARY} ${ZNZ_LIBRARY})
find_path(ISAL_INCLUDE_DIR isa-l/igzip_lib.h REQUIRED)
find_library(ISAL_LIBRARY isal REQUIRED)
add_library(revoxel_isal INTERFACE)
target_include_directories(revoxel_isal SYSTEM INTERFACE ${ISAL_INCLUDE_DIR})
target_link_libraries(revoxel_isal INTERFACE ${ISAL_LIBRARY})

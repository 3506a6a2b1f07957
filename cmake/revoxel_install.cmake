# `cmake --install`: program, library, headers, man page, shell completion, licence, and a package config with which another
# CMake project says find_package(revoxel) and links revoxel::revoxel. tests/consumer does so.
include(CMakePackageConfigHelpers)
set(REVOXEL_CONFIG_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/revoxel)

install(TARGETS revoxel_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS revoxel EXPORT revoxelTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/revoxel DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(REVOXEL_CARRIED_LIBRARIES)
    install(FILES ${REVOXEL_CARRIED_LIBRARIES} DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# The program writes its own manual: the same source as --help.
function(revoxel_install_written file destination)  # further arguments: those of the program that prints the file
    set(path ${PROJECT_BINARY_DIR}/generated/${file})
    list(JOIN ARGN " " arguments)
    install(CODE "execute_process(COMMAND \"$<TARGET_FILE:revoxel_cli>\" ${arguments}
                                  OUTPUT_FILE \"${path}\" COMMAND_ERROR_IS_FATAL ANY)")
    install(FILES ${path} DESTINATION ${destination})
endfunction()
revoxel_install_written(revoxel.1 ${CMAKE_INSTALL_MANDIR}/man1 man)
revoxel_install_written(revoxel ${CMAKE_INSTALL_DATADIR}/bash-completion/completions completion bash)
revoxel_install_written(_revoxel ${CMAKE_INSTALL_DATADIR}/zsh/site-functions completion zsh)
revoxel_install_written(revoxel.fish ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d completion fish)

install(EXPORT revoxelTargets NAMESPACE revoxel:: DESTINATION ${REVOXEL_CONFIG_DIR})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/revoxelConfig.cmake.in
    ${PROJECT_BINARY_DIR}/generated/revoxelConfig.cmake INSTALL_DESTINATION ${REVOXEL_CONFIG_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/generated/revoxelConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/generated/revoxelConfig.cmake
              ${PROJECT_BINARY_DIR}/generated/revoxelConfigVersion.cmake DESTINATION ${REVOXEL_CONFIG_DIR})

# A broken program must fail, by a test or by a sanitizer.
execute_process(COMMAND ${PROGRAM} RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said TIMEOUT 300)
if(result STREQUAL "0")
    message(FATAL_ERROR "the tests did not notice what is broken:\n${said}")
endif()
message(STATUS "noticed, exit ${result}")

# A broken program must fail by what it is broken in: a test that says so, or an allocator or a guard that finds a store
# where none may be.
execute_process(COMMAND ${PROGRAM} RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said TIMEOUT 300)
if(result STREQUAL "0")
    message(FATAL_ERROR "the tests did not notice what is broken:\n${said}")
endif()
if(NOT said MATCHES "FAILED  |beyond its shared memory|do not meet|corrupt|invalid (pointer|size|next size)|Sanitizer")
    message(FATAL_ERROR "ended with ${result}, and not by a test:\n${said}")
endif()
message(STATUS "noticed, exit ${result}")

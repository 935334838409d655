# What functions are kept from, with the real binaries, also on a kernel that has less.
if(TARGET poold-server AND TARGET poold-worker)
  add_executable(lacking_kernel lacking_kernel.c)
  target_link_libraries(lacking_kernel PRIVATE PkgConfig::SECCOMP)
  set_target_properties(lacking_kernel PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME process_sandbox COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/sandbox_test.py $<TARGET_FILE:poold>
           $<TARGET_FILE:lacking_kernel>)
  if(POOLD_SANITIZE)
    set(sanitized 1)
  else()
    set(sanitized 0)
  endif()
  set_tests_properties(process_sandbox PROPERTIES
    TIMEOUT 120 SKIP_RETURN_CODE 77 LABELS process ENVIRONMENT FUNCTIONS_TEST_SANITIZED=${sanitized})
endif()

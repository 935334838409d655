# The programs of deploy/compose.yaml beside poold: nginx in front, Prometheus; and what docs/operations.md lists. Skipped (77) where they are not installed.
if(TARGET poold-server AND TARGET poold-worker)
  foreach(test nginx prometheus operations)
    add_test(NAME process_${test} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/${test}_test.py ${CMAKE_SOURCE_DIR}
                                          $<TARGET_FILE:poold>)
    set_tests_properties(process_${test} PROPERTIES TIMEOUT 120 LABELS "process;asan-slow" SKIP_RETURN_CODE 77)
  endforeach()
endif()

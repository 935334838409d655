# What is logged, in both formats, against the real binaries; and docs/operations.md against the sources.
if(TARGET poold-server AND TARGET poold-worker)
  add_test(NAME process_logs
           COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/logs_test.py ${CMAKE_SOURCE_DIR} $<TARGET_FILE:poold>)
  set_tests_properties(process_logs PROPERTIES TIMEOUT 240 LABELS process)
endif()

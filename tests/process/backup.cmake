# poold --backup beside a service that works, and a start on what it made.
if(TARGET poold-server AND TARGET poold-worker)
  add_test(NAME process_backup COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/backup_test.py $<TARGET_FILE:poold>)
  set_tests_properties(process_backup PROPERTIES TIMEOUT 120 LABELS process)
endif()

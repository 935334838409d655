if(TARGET poold-server AND TARGET poold-worker)
  add_test(NAME process_check COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/check_test.sh $<TARGET_FILE:poold>)
  set_tests_properties(process_check PROPERTIES TIMEOUT 60 LABELS process)
endif()

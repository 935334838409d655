# What deploy/examples tells people to type does what it says.
if(TARGET poold-server AND TARGET poold-worker AND TARGET spelling)
  add_test(NAME process_examples COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/examples_test.py $<TARGET_FILE:poold>)
  set_tests_properties(process_examples PROPERTIES TIMEOUT 300 LABELS process)
endif()

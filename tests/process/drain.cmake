# SIGTERM under load. More rounds by hand: drain_test.py build/bin/poold ROUNDS SEED.
if(TARGET poold-server AND TARGET poold-worker)
  add_test(NAME process_drain COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/drain_test.py $<TARGET_FILE:poold>)
  set_tests_properties(process_drain PROPERTIES TIMEOUT 240 LABELS process)
endif()

# deploy/clients/python: Pool of poold_client against Pool of multiprocessing, cut connections, and kill -9.
if(TARGET poold-server AND TARGET poold-worker)
  add_test(NAME process_client COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/client_test.py $<TARGET_FILE:poold>)
  set_tests_properties(process_client PROPERTIES TIMEOUT 300 LABELS process)
endif()

# Shared objects in Python and Node functions, against a poold that is played by the test.
add_test(NAME process_objects_launchers COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/objects_launchers_test.py
                                                ${CMAKE_SOURCE_DIR}/workers/runtimes)
set_tests_properties(process_objects_launchers PROPERTIES TIMEOUT 120 LABELS process)

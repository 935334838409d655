# The Node launcher alone; skipped (77) where there is no node of version 18.
add_test(NAME process_node_launcher COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/node_launcher_test.py
                                            ${CMAKE_SOURCE_DIR}/workers/runtimes/node)
set_tests_properties(process_node_launcher PROPERTIES TIMEOUT 120 LABELS process SKIP_RETURN_CODE 77)

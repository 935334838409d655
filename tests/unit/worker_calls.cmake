# Calls to shared objects, from items to a server that this test plays.
add_library(worker_calls_plugin MODULE worker_calls_plugin.c)
target_include_directories(worker_calls_plugin PRIVATE ${CMAKE_SOURCE_DIR}/workers/sdk)
set_target_properties(worker_calls_plugin PROPERTIES
  PREFIX "" OUTPUT_NAME calls LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/plugin_calls)
poold_unit(worker_calls poold_wire poold_base)
target_compile_definitions(worker_calls_test PRIVATE WORKER="$<TARGET_FILE:poold-worker>"
  PLUGIN="$<TARGET_FILE:worker_calls_plugin>" SCRIPT="${CMAKE_CURRENT_SOURCE_DIR}/worker_calls_runtime.py")
add_dependencies(worker_calls_test poold-worker poold-call worker_calls_plugin)

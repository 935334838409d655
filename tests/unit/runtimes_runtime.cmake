poold_unit(runtimes_runtime poold_runtimes)
target_compile_definitions(runtimes_runtime_test PRIVATE LAUNCHERS="${CMAKE_SOURCE_DIR}/workers/runtimes")

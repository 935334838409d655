poold_unit(worker poold_wire poold_base)
target_compile_definitions(worker_test PRIVATE WORKER="$<TARGET_FILE:poold-worker>")
add_dependencies(worker_test poold-worker)

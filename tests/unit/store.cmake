# The store: one suite on both backends, what only SQLite does, and what it costs (tests/bench; run by hand).
poold_unit(store poold_store)
target_sources(store_test PRIVATE store_kit.c)
poold_unit(store_sqlite poold_store PkgConfig::SQLITE)
target_sources(store_sqlite_test PRIVATE store_kit.c)

add_executable(store_bench ${CMAKE_SOURCE_DIR}/tests/bench/store_bench.c)
target_link_libraries(store_bench PRIVATE poold_store)
set_target_properties(store_bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
set_tests_properties(unit_store PROPERTIES LABELS tsan)

# The engine's core in simulated time (engine_sim) and its pure parts.
poold_unit(engine poold_engine)
target_sources(engine_test PRIVATE engine_sim.c engine_lives.c)
set_tests_properties(unit_engine PROPERTIES TIMEOUT 300)
poold_unit(engine_functions poold_engine)
target_sources(engine_functions_test PRIVATE engine_sim.c)

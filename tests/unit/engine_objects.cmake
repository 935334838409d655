# Shared objects in the engine's core, in simulated time.
poold_unit(engine_objects poold_engine)
target_sources(engine_objects_test PRIVATE engine_sim.c engine_objects_lives.c)
set_tests_properties(unit_engine_objects PROPERTIES TIMEOUT 300)

# Shared objects in the engine's core, in simulated time.
poold_unit(engine_objects poold_engine)
target_sources(engine_objects_test PRIVATE engine_sim.c)

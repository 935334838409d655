# Shared objects in simulated time, with a store of memory (objects_kit): poold_unit_objects(NAME) adds a test of a part.
function(poold_unit_objects name)
  poold_unit(${name} poold_objects m)
  target_sources(${name}_test PRIVATE objects_kit.c)
endfunction()
poold_unit_objects(objects)
poold_unit_objects(objects_random)

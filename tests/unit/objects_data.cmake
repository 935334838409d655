# Dicts, lists, values and arrays; objects_kit is objects.cmake's.
foreach(name objects_data objects_data_files objects_data_random)
  poold_unit(${name} poold_objects m)
  target_sources(${name}_test PRIVATE objects_kit.c)
endforeach()

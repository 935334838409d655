poold_unit(objects_json poold_objects m)

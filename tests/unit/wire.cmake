poold_unit(wire poold_wire)
set_tests_properties(unit_wire PROPERTIES LABELS tsan)

poold_unit(base poold_base)
poold_unit(config poold_base)
set_tests_properties(unit_base PROPERTIES LABELS tsan) # mailbox and blob are shared by threads

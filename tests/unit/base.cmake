poold_unit(base poold_base)
poold_unit(config poold_base)
poold_unit(log poold_base PkgConfig::JANSSON)
set_tests_properties(unit_base PROPERTIES LABELS tsan) # mailbox and blob are shared by threads

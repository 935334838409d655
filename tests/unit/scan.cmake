poold_unit(scan poold_wire PkgConfig::JANSSON)

poold_unit(wire poold_wire)

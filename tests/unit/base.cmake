poold_unit(base poold_base)
poold_unit(config poold_base)

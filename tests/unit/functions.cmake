poold_unit(functions poold_functions)

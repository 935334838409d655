poold_unit(reap poold_supervisor)

# The store: one suite on both backends, and what only SQLite does.
poold_unit(store poold_store)
target_sources(store_test PRIVATE store_kit.c)

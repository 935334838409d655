# Objects and entries in the store.
poold_unit(store_objects poold_store)
target_sources(store_objects_test PRIVATE store_kit.c)

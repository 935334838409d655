poold_unit(manifest poold_manifest)
poold_unit(manifest_set poold_manifest)

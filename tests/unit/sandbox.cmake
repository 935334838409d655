# What workers are in: in children of the test, since nobody comes out of it again.
poold_unit(sandbox poold_sandbox PkgConfig::SECCOMP)
if(POOLD_SANITIZE)
  target_compile_definitions(sandbox_test PRIVATE POOLD_SANITIZED)
endif()

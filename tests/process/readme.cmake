# What people see first: the commands of README and docs/ print what stands there, and deploy/run.sh --demo succeeds.
if(TARGET poold-server AND TARGET poold-worker)
  add_test(NAME process_readme COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/readme_test.py ${CMAKE_SOURCE_DIR}/README.md
                                       $<TARGET_FILE:poold>)
  file(GLOB documents CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/*.md)
  add_test(NAME process_docs COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/readme_test.py ${documents}
                                     ${CMAKE_SOURCE_DIR}/workers/README.md $<TARGET_FILE:poold>)
  # Against this build, whatever its compiler and sanitizer; building and installing is for fresh machines.
  add_test(NAME process_demo COMMAND ${CMAKE_SOURCE_DIR}/deploy/run.sh --demo --no-build)
  set_tests_properties(process_demo PROPERTIES ENVIRONMENT POOLD_BUILD_DIR=${CMAKE_BINARY_DIR})
  set_tests_properties(process_readme process_docs process_demo PROPERTIES TIMEOUT 120 LABELS process)
  add_test(NAME process_serve COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/serve_test.sh)
  set_tests_properties(process_serve PROPERTIES ENVIRONMENT POOLD_BUILD_DIR=${CMAKE_BINARY_DIR} TIMEOUT 120
                                                LABELS process)
endif()

# kill -9: at eight moments to four targets, at random under load, and a build that the random kills must catch.
add_executable(killloop_bin killloop.c killloop_load.c killloop_check.c)
target_link_libraries(killloop_bin PRIVATE poold_test_support)
set_target_properties(killloop_bin PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
foreach(needed poold poold-server poold-worker)
  if(TARGET ${needed})
    add_dependencies(killloop_bin ${needed})
  endif()
endforeach()
add_test(NAME process_killloop COMMAND killloop_bin 200 1)
set_tests_properties(process_killloop PROPERTIES TIMEOUT 400 LABELS "process;asan-slow")

add_test(NAME process_broken_fence COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/broken_fence.sh)
set_tests_properties(process_broken_fence PROPERTIES TIMEOUT 600 LABELS "process;asan-slow" RUN_SERIAL TRUE)

poold_e2e(killmatrix process 400 killmatrix_moments.c)
set_tests_properties(process_killmatrix PROPERTIES LABELS "process;asan-slow")
poold_e2e(deaths process 200)

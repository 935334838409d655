# The sources are the same in every pass: once is enough, hence the label.
set(layers_poold "")
if(TARGET poold)
  set(layers_poold $<TARGET_FILE:poold>)
endif()
add_test(NAME layers COMMAND ${CMAKE_SOURCE_DIR}/tests/process/layers.sh ${CMAKE_SOURCE_DIR} ${layers_poold})
add_test(NAME layers_self_test COMMAND ${CMAKE_SOURCE_DIR}/tests/process/layers.sh --self-test)
set_tests_properties(layers layers_self_test PROPERTIES TIMEOUT 60 LABELS asan-slow)

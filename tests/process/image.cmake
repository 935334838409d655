# The image as the Dockerfile makes it, without a container engine. It takes minutes (debootstrap, apt, a compiler), so it
# begins first and others run beside it; what it unpacks once is kept in the build folder. Its own compiler: the sanitizer
# passes need not repeat it.
if(TARGET poold-server AND TARGET poold-worker)
  add_test(NAME process_image COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/image_test.py ${CMAKE_SOURCE_DIR}
                                      ${CMAKE_BINARY_DIR}/image)
  set_tests_properties(process_image PROPERTIES TIMEOUT 600 COST 10000 SKIP_RETURN_CODE 77 LABELS "process;asan-slow")
endif()

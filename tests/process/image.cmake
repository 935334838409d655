# What runs poold where we are not: the image as the Dockerfile makes it, without a container engine; the systemd unit,
# without systemd; Kubernetes' and Compose's files, by their schemas. None of it depends on the sanitizer of this build.
if(TARGET poold-server AND TARGET poold-worker)
  # It takes minutes (debootstrap, apt, a compiler), so it begins first and others run beside it. The unpacked Debian is
  # kept in the build folder.
  add_test(NAME process_image COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/image_test.py ${CMAKE_SOURCE_DIR}
                                      ${CMAKE_BINARY_DIR}/image)
  set_tests_properties(process_image PROPERTIES TIMEOUT 600 COST 10000)
  add_test(NAME process_unit_file COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/unit_file_test.py ${CMAKE_SOURCE_DIR}
                                          ${CMAKE_BINARY_DIR}/bin ${CMAKE_BINARY_DIR}/unit_file)
  add_test(NAME process_deploy_schemas COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/deploy_schemas_test.py ${CMAKE_SOURCE_DIR})
  set_tests_properties(process_unit_file process_deploy_schemas PROPERTIES TIMEOUT 120)
  set_tests_properties(process_image process_unit_file process_deploy_schemas PROPERTIES SKIP_RETURN_CODE 77
                                                                                     LABELS "process;asan-slow")
endif()

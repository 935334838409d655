# compose.yaml, nginx.conf, Kubernetes, Dockerfile, systemd unit: nobody else would notice what is wrong there.
if(TARGET poold-server AND TARGET poold-worker)
  add_test(NAME process_deploy_files COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/deploy_files_test.py ${CMAKE_SOURCE_DIR}
                                             $<TARGET_FILE:poold>)
  set_tests_properties(process_deploy_files PROPERTIES TIMEOUT 60 LABELS process)
endif()

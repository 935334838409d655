# Plugins, and what the worker does around functions that run within it.
if(TARGET poold_runtimes)
  set(plugin_deeds ${CMAKE_BINARY_DIR}/tests/plugin_deeds)
  set(how 0)
  foreach(name good version symbol crashes refuses hangs devours later small twice nothing old)
    add_library(plugin_${name} MODULE plugin_deeds.c)
    target_include_directories(plugin_${name} PRIVATE ${CMAKE_SOURCE_DIR}/workers/sdk)
    target_compile_definitions(plugin_${name} PRIVATE HOW=${how})
    set_target_properties(plugin_${name} PROPERTIES
      PREFIX "" OUTPUT_NAME ${name} LIBRARY_OUTPUT_DIRECTORY ${plugin_deeds})
    list(APPEND plugin_targets plugin_${name})
    math(EXPR how "${how} + 1")
  endforeach()

  # Of those that have been built before now none is to be built again: this one is made with the header of then.
  target_include_directories(plugin_old BEFORE PRIVATE sdk_0_2)

  poold_unit(plugin poold_runtimes PkgConfig::JANSSON)
  target_compile_definitions(plugin_test PRIVATE
    PLUGINS="${plugin_deeds}" EXAMPLE="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/plugins")
  add_dependencies(plugin_test ${plugin_targets} spelling)

  poold_unit(plugin_capture poold_runtimes)
  target_sources(plugin_capture_test PRIVATE
    ${CMAKE_SOURCE_DIR}/workers/worker/capture.c ${CMAKE_SOURCE_DIR}/workers/worker/send.c)

  # They die of signals on purpose.
  set_tests_properties(unit_plugin unit_plugin_capture PROPERTIES
    ENVIRONMENT "ASAN_OPTIONS=handle_segv=0:handle_abort=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0")

  add_test(NAME plugin_header_cxx COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/plugin_header.sh ${CMAKE_SOURCE_DIR}/workers/sdk)
  set_tests_properties(plugin_header_cxx PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 60 LABELS asan-slow)
endif()

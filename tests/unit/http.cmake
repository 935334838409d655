# web_…: the http_… names are those of tests/http.
poold_unit(web_submission poold_http)
poold_unit(web_ndjson poold_http)
poold_unit(web_query poold_http)
poold_unit(web_traceparent poold_http)
poold_unit(web_options poold_http)
poold_unit(web_problem poold_http)
target_compile_definitions(web_problem_test PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}")

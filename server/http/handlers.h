/* handlers: the first steps of all routes, by file. HTTP thread. */
#ifndef POOLD_HTTP_HANDLERS_H
#define POOLD_HTTP_HANDLERS_H

#include "http/request.h"

/* submit.c */
request_step post_jobs, post_jobs_upload;
/* add_items.c */
request_step post_items, post_items_upload, post_close;
/* jobs.c */
request_step get_jobs, get_job, delete_job, post_cancel;
/* retry.c */
request_step post_retry;
/* results.c */
request_step get_results;
/* items.c, log.c */
request_step get_item, get_log;
/* functions.c */
request_step get_functions, get_function;
/* access.c */
request_step get_access;
/* pool.c */
request_step get_workers, get_pool, patch_pool;
/* dashboard.c */
request_step get_dashboard, get_dashboard_page, get_docs;
bool dashboard_wanted(const struct request *);
/* service.c, metrics.c */
request_step get_healthz, get_readyz, get_metrics, get_openapi, get_root, any_options;

#endif

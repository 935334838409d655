/* finish: the last steps of a request that has an upload. HTTP thread. */
#ifndef POOLD_HTTP_FINISH_H
#define POOLD_HTTP_FINISH_H

#include "http/request.h"

/* Waits until all is acknowledged, then answers like any made job. */
request_step upload_finish_created;
/* … then answers with the job that got more items. */
request_step upload_finish_items;

#endif

/* job: names of states, kinds and failures. */
#include "base/job.h"

#include <string.h>

static const char *const state_names[] = {
    [JOB_OPEN] = "open",           [JOB_READY] = "ready",   [JOB_RUNNING] = "running",
    [JOB_SUCCEEDED] = "succeeded", [JOB_FAILED] = "failed", [JOB_CANCELLED] = "cancelled",
};
static const char *const kind_names[] = {[JOB_MAP] = "map", [JOB_APPLY] = "apply", [JOB_STARMAP] = "starmap"};
static const char *const failure_names[FAILURES] = {
    [FAILURE_ERROR] = "error",         [FAILURE_CRASH] = "crash",
    [FAILURE_TIMEOUT] = "timeout",     [FAILURE_MEMORY] = "memory",
    [FAILURE_INTERRUPTED] = "interrupted", [FAILURE_CANCELLED] = "cancelled",
    [FAILURE_TOO_LARGE] = "too_large", [FAILURE_PROTOCOL] = "protocol",
};

const char *job_state_name(enum job_state state)
{
    return state_names[state];
}

int job_state_parse(const char *name, enum job_state *state)
{
    for (int i = JOB_OPEN; i <= JOB_CANCELLED; i++) {
        if (strcmp(state_names[i], name) == 0) {
            *state = (enum job_state)i;
            return 0;
        }
    }
    return -1;
}

bool job_state_ended(enum job_state state)
{
    return state >= JOB_SUCCEEDED;
}

const char *job_kind_name(enum job_kind kind)
{
    return kind_names[kind];
}

const char *failure_name(enum failure failure)
{
    return failure_names[failure];
}

int failure_parse(const char *name, size_t length, enum failure *failure)
{
    for (int i = FAILURE_ERROR; i < FAILURES; i++) {
        if (strlen(failure_names[i]) == length && memcmp(failure_names[i], name, length) == 0) {
            *failure = (enum failure)i;
            return 0;
        }
    }
    return -1;
}

struct job_options job_options_default(void)
{
    return (struct job_options){.max_attempts = 1, .backoff_ms = 1000, .priority = 5, .retention_s = -1};
}

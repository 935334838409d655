/* user: whom workers run as (--worker-user), so that a function cannot touch what is poold's. */
#ifndef POOLD_SUPERVISOR_USER_H
#define POOLD_SUPERVISOR_USER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct worker_user {
    bool other; /* than poold itself; else nothing of the rest counts */
    uid_t uid;
    gid_t gid;
    char name[65];
    char home[1024];
};

/* By name or number; "": as poold itself. A number that nobody has is its own group, too. -1: there is no such user, or
 * poold is not root and it is somebody else. */
int worker_user_find(const char *text, struct worker_user *, struct error *);
/* Makes this process that user's, with no other groups, and says so in its environment (HOME, USER, LOGNAME). What the
 * system has tied to the old one is lost: the death signal. -1 with errno. */
int worker_user_become(const struct worker_user *);

#endif

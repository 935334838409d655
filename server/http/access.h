/* access: whose request it is, and whether he may: tokens, their scopes and functions. HTTP thread, but for what is
 * said.
 *
 * The set of tokens is read at the start and on SIGHUP. A request keeps the set that admitted it: a token that was
 * taken out of the file opens nothing any more, but what it has opened goes on to its end. */
#ifndef POOLD_HTTP_ACCESS_H
#define POOLD_HTTP_ACCESS_H

#include "http/request.h"

/* Reads the token file, if there is one. Any thread, before the HTTP thread is there. */
int access_start(struct http *, struct error *);
/* Reads it again; what is wrong is logged, and the tokens stay as they are. Any thread, one at a time. */
void access_reload(struct http *);
void access_free(struct http *);
/* Only says whether the token file is right, as file:line. Any thread. */
int access_check_file(const struct config *, struct error *);

/* Finds out whose request it is, and whether he may have its route (which may be NULL: then any valid token will do).
 * False with the problem. */
bool access_admit(struct request *, const char *method);
/* Whether he may have to do with this function, and with the job of the path. False with the problem. */
bool access_function(struct request *, const char *function);
bool access_job(struct request *);
/* The same question without a problem. */
bool access_sees(const struct request *, const char *function);
/* What he may is cut to some functions. */
bool access_restricted(const struct request *);
/* The headers that go with a 401 or a 403. */
void access_headers(struct request *);

#endif

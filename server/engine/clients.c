/* clients: how many unfinished jobs each client has. It follows from the jobs that are there, so it is right after a
 * restart, too; who has none is not remembered. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "engine/core.h"

struct client {
    UT_hash_handle hh;
    unsigned jobs;
    char name[sizeof(((struct job_origin *)NULL)->client)];
};

static struct client *find(const struct core *core, const char *name)
{
    struct client *client;
    HASH_FIND_STR(core->clients, name, client);
    return client;
}

void client_hold(struct core *core, struct job *job)
{
    const char *name = job->view.origin.client;
    if (!*name)
        return;
    job->client = find(core, name);
    if (!job->client) {
        job->client = calloc(1, sizeof *job->client);
        CHECK(job->client, "out of memory");
        strcpy(job->client->name, name);
        HASH_ADD_STR(core->clients, name, job->client);
    }
    job->client->jobs++;
}

void client_release(struct core *core, struct job *job)
{
    struct client *client = job->client;
    job->client = NULL;
    if (!client || --client->jobs)
        return;
    HASH_DEL(core->clients, client);
    free(client);
}

bool client_may_submit(const struct core *core, const char *name, unsigned most)
{
    const struct client *client = most && *name ? find(core, name) : NULL;
    return !client || client->jobs < most;
}

/* One call on its way to the engine. A call that waits must not take what nobody will read: when its client leaves it
 * is given up; and since that is noticed late, the engine looks at the socket itself before it serves a waiting call.
 */
#include <poll.h>
#include <string.h>

#include "base/check.h"
#include "http/objects.h"

void object_question_init(struct object_question *q)
{
    memset(q, 0, sizeof *q);
    pthread_mutex_init(&q->mutex, NULL);
    q->fd = -1;
}

void object_question_clear(struct object_question *q)
{
    CHECK(!q->ask.out, "the last call is still out");
    buf_free(&q->call.answer);
    buf_free(&q->call.kept);
    memset(&q->call, 0, sizeof q->call);
    buf_clear(&q->args, 0);
}

void object_question_free(struct object_question *q)
{
    buf_free(&q->call.answer);
    buf_free(&q->call.kept);
    buf_free(&q->args);
    pthread_mutex_destroy(&q->mutex);
}

/* The engine's thread. libmicrohttpd closes the socket after object_question_left(), so its number is still its own. */
static bool is_gone(struct engine_request *e)
{
    struct object_question *q = (struct object_question *)(void *)e;
    pthread_mutex_lock(&q->mutex);
    struct pollfd fd = {.fd = q->fd, .events = POLLRDHUP};
    bool gone = q->fd == -1 || (poll(&fd, 1, 0) > 0 && (fd.revents & (POLLRDHUP | POLLHUP | POLLERR)));
    pthread_mutex_unlock(&q->mutex);
    return gone;
}

void object_question_send(struct object_question *q, struct request *r)
{
    struct engine_request *e = &q->ask.engine;
    memset(e, 0, sizeof *e);
    e->type = ASK_OBJECT;
    e->object.call = &q->call;
    e->object.gone = is_gone;
    q->fd = r->connection ? r->connection->fd : -1; /* no call is out: nobody else looks at it */
    q->call.args = q->args.length ? q->args.data : "";
    q->call.args_length = q->args.length;
    strcpy(q->call.holder_name, "http");
    ask_send(&q->ask, r);
}

void object_question_left(struct object_question *q)
{
    pthread_mutex_lock(&q->mutex);
    q->fd = -1;
    pthread_mutex_unlock(&q->mutex);
    if (!q->ask.out || q->give_up.out || atomic_load(&q->ask.back))
        return;
    struct engine_request *e = &q->give_up.engine;
    memset(e, 0, sizeof *e);
    e->type = ASK_OBJECT_GIVE_UP;
    e->give_up.request = &q->ask.engine;
    ask_send(&q->give_up, q->ask.request);
}

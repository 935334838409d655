/* shared_asks: calls from outside. What they saw or did may rest on changes that are not committed yet: so the answer
 * waits until all that came before it is. */
#include "base/check.h"
#include "engine/shared.h"

static bool all_is_committed(const struct core *core)
{
    return !core->turn && !core->flying && core->dirty_count == 0;
}

static void done(struct object_call *call)
{
    struct engine_request *request = call->owner;
    struct core *core = request->object.core;
    request->object.waiting = false;
    request->status = ENGINE_OK;
    if (call->status == OBJECT_GIVEN_UP)
        reply(request, ENGINE_SHUTDOWN);
    else if (all_is_committed(core))
        reply(request, ENGINE_OK);
    else
        turn_effect(core, (struct effect){.type = EFFECT_REPLY, .request = request});
}

static bool gone(struct object_call *call)
{
    struct engine_request *request = call->owner;
    return request->object.gone(request);
}

void ask_object(struct core *core, struct engine_request *request)
{
    struct object_call *call = request->object.call;
    call->holder = (struct object_holder){0, 0};
    call->done = done;
    call->owner = request;
    call->gone = request->object.gone ? gone : NULL;
    if (!call->deadline_ns)
        call->deadline_ns = request->deadline_ns;
    enum engine_status refusal = shared_refusal(core, call);
    if (refusal != ENGINE_OK) {
        reply(request, refusal);
        return;
    }
    request->object.core = core;
    request->object.waiting = true;
    core->shared->called = true;
    objects_call(core->shared->objects, call); /* the request may be gone after this */
}

void ask_object_give_up(struct core *core, struct engine_request *request)
{
    struct engine_request *waiting = request->give_up.request;
    CHECK(waiting->type == ASK_OBJECT, "request type %d is given up", waiting->type);
    if (waiting->object.waiting)
        objects_give_up(core->shared->objects, waiting->object.call);
    core->shared->called = true;
    reply(request, ENGINE_OK);
}

/* control: the channel to the server, and the table of what it may say when.
 *
 * Sending to a server that is gone does nothing: its end is noticed (control_check) in one place only, supervisor_step,
 * so that no caller finds the world changed under its loop. */
#ifndef POOLD_SUPERVISOR_CONTROL_H
#define POOLD_SUPERVISOR_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "supervisor/reap.h"
#include "supervisor/slots.h"
#include "wire/channel.h"

struct supervisor;

enum control_health { CONTROL_CLOSED, CONTROL_GOOD, CONTROL_ENDED /* EOF or error */, CONTROL_NONSENSE };

struct control {
    struct channel channel;
    uv_poll_t *poll; /* on the heap: libuv lets go of it only after we have */
    int polled;      /* what it waits for */
    enum control_health health;
};

/* Takes `fd` over. */
void control_open(struct supervisor *, int fd);
void control_close(struct supervisor *);
/* Handles all that has come; at the end of the server (`last`) until nothing can come any more. */
void control_receive(struct supervisor *, bool last);
/* Tells process.c once when the server has closed the channel or speaks nonsense. */
void control_check(struct supervisor *);
/* Polls for writing while something is queued. */
void control_watch(struct supervisor *);

void control_send_worker_new(struct supervisor *, const struct slot *, int channel_fd, int workbench_fd);
/* `was`: the slot as slots_exited returned it. */
void control_send_worker_gone(struct supervisor *, unsigned index, const struct slot *was, const struct corpse *);
void control_send_pool_state(struct supervisor *);
void control_send_reload(struct supervisor *, uint32_t times);
void control_send_drain(struct supervisor *, uint32_t grace_ms);

#endif

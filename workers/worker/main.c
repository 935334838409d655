/* main: poold-worker, started by the supervisor (never by hand). See worker.h. */
#include <stdlib.h>

#include "worker/board.h"
#include "worker/worker.h"

int main(int argc, char **argv)
{
    struct worker worker;
    worker_set_up(&worker, argc, argv);
    board_enter(&worker, ACTIVITY_STARTING);
    worker_say_hello(&worker);
    board_enter(&worker, ACTIVITY_READY);
    for (;;) {
        struct message_run run;
        const char *items;
        size_t length;
        worker_receive(&worker, &run, &items, &length);
        slice_run(&worker, &run, items, length);
        if (run.flags & RUN_ONCE)
            exit(0);
    }
}

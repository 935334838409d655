/* main: poold-worker, started by the supervisor (never by hand). See worker.h. */
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
        struct frame frame;
        worker_receive(&worker, &frame);
        worker_dispatch(&worker, &frame);
    }
}

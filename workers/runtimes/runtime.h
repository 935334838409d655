/* runtime: what the parts of the worker's side of PROTOCOL.md share: runtime.c (life), start.c (until it is ready),
 * exchange.c (a batch of items), ends.c (how an item ended). */
#ifndef POOLD_RUNTIMES_RUNTIME_H
#define POOLD_RUNTIMES_RUNTIME_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/clock.h"
#include "runtimes/child.h"
#include "runtimes/runner_kind.h"

enum {
    BATCH_MAX = 1024,
    KEPT_MAX = 256,            /* processes that a runtime has started before it is ready; one with more keeps all */
    LEFT_MAX = 512,            /* processes of its items, its helpers and those that it has forgotten to reap */
    PACES = 16,                /* functions of which the speed is remembered */
    READ_PIECE = 64 * 1024,
    READ_TURN = 1024 * 1024,   /* at most so much of a descriptor before the others are looked at */
    CALL_LINE_MAX = 9 * 1024 * 1024,
    LINE_OVERHEAD = 320 * 1024 /* of a line over its value: errors with their tracebacks, pieces of a log */
};

/* Lines as they come. */
struct source {
    struct buf bytes;
    size_t start;   /* of the next line */
    size_t looked;  /* there is no newline before this */
    bool skipping;  /* in the middle of a value that is too large: dropped up to its newline */
    size_t skipped; /* bytes of it */
};
/* The next line without its newline, or NULL. Good until source_tidy. */
char *source_line(struct source *, size_t *length);
/* Drops the lines that were taken. */
void source_tidy(struct source *);
void source_clear(struct source *);

struct pace {
    char function[MANIFEST_NAME_MAX + 8];
    uint32_t window;
    bool calls; /* it has made calls to shared objects: what waits for one must not hold up others */
};

struct runtime {
    struct runner base;
    struct child child;   /* pid 0: there is none, and all of the following is empty */
    bool batch;           /* it takes batches; stays known when it is gone */
    int talk;             /* our end of its descriptor 3; -1 once it has closed its own */
    int answers;          /* the memory file that is its descriptor 4 */
    off_t answers_read, answers_freed;
    int printed[2];       /* its stdout and stderr; -1 once closed */
    struct source said, answered; /* what came on descriptors 3 and 4 */
    pid_t kept[KEPT_MAX]; /* its children when it was ready: those that its items may use */
    unsigned kept_count;
    unsigned helpers;     /* other children in its group, when last looked at */
    struct buf offers;    /* JSON array */
    uint64_t first_id;    /* of this process */
    uint64_t next_id;
    uint32_t ran;         /* items of this process */
    bool calls;           /* an item of the present batch has made calls */
    struct pace paces[PACES];
    unsigned paces_next;
    uint32_t careful;     /* so many items are run one by one, because it is not clear who prints or talks nonsense */
    /* failed starts */
    int64_t pause_ns, not_before_ns;
    struct buf reason;    /* of the last one, in words */
    struct buf reason_more; /* members of an error object: ,"class":…,"traceback":… */
};

/* start.c */
enum started { STARTED, START_FAILED, START_STOPPED };
/* Starts the process and waits until it is ready. Failed: there is no process, and the reason is set. */
enum started runtime_start(struct runtime *);

/* ready.c: the first line that a runtime says. */
enum readiness { READY, NOT_READY, READY_NONSENSE };
/* Fills offers and batch, or reason and reason_more. */
enum readiness ready_parse(struct runtime *, char *line, size_t length);

/* exchange.c */
enum exchanged {
    EXCHANGED,         /* all have ended; the process lives, or is found dead by the next */
    EXCHANGE_BROKEN,   /* the process is gone: the rest needs a new one */
    EXCHANGE_STOPPED   /* so is the worker, soon */
};
/* Runs tasks[*place, end), and moves *place behind the last one that has ended. */
enum exchanged exchange_run(struct runtime *, const struct assignment *, const struct task *tasks, uint32_t *place,
                            uint32_t end);

/* runtime.c */
/* Ends the process without asking and forgets it; what it printed before is left in `printed` until runtime_forget. */
void runtime_kill(struct runtime *, unsigned grace_ms, struct child_end *);
void runtime_forget(struct runtime *);
/* Reads and drops what was printed. */
void runtime_drop_output(struct runtime *);
/* True when the worker has to end; at once when the server is gone. */
bool runtime_told_to_stop(const struct host *);
/* How long the processes may take to end then. */
unsigned runtime_stop_grace_ms(const struct host *);
/* Reads what is there, at most READ_TURN bytes. -1: nothing more will come. */
int source_read(struct source *, int fd);

#endif

/* store: the store thread. It takes all mail, answers the loads, commits all writes as one transaction, reaps, and
 * calls back after the commit; idle moments go to the backend's housekeeping.
 *
 * Once a commit has ended in STORE_IO nothing is written any more: the kernel may have dropped the very pages that
 * failed, so a later fsync that succeeds proves nothing. Loads go on. */
#include "store/store.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "store/store_backend.h"

/* Long enough not to fall between two requests of a busy client, short enough that the WAL is small when it counts. */
#define IDLE_MS 250

#define SLOW_NS (NS_PER_S / 2) /* a commit that takes so long is worth a line: usual are 0.1 to 20 ms */

#define LOOK_NS (40 * NS_PER_MS) /* how old the number of free bytes may be */

struct store {
    struct store_backend *backend;
    char directory[PATH_MAX]; /* "" in memory */
    struct mailbox writes, loads, reaps;
    int wake; /* eventfd; a put to an empty box writes it while the thread sleeps */
    atomic_bool asleep;
    pthread_t thread;
    bool started;
    atomic_bool stopping;
    bool broken;           /* STORE_IO was seen; only who executes looks */
    bool untidy;           /* the backend wants an idle moment */
    pthread_mutex_t mutex; /* of all below */
    unsigned fail_after;   /* 0 = never */
    enum store_status fail_status;
    struct store_stats stats;
    int64_t looked_ns; /* when free_bytes was read */
};

static void wake(void *context)
{
    struct store *store = context;
    if (!atomic_load(&store->asleep))
        return; /* it looks once more before it sleeps */
    ssize_t written = write(store->wake, &(uint64_t){1}, sizeof(uint64_t));
    CHECK(written > 0 || errno == EAGAIN, "eventfd: %s", strerror(errno));
}

struct store *store_new(struct store_backend *backend, const char *directory)
{
    struct store *store = calloc(1, sizeof *store);
    CHECK(store != NULL, "out of memory for the store");
    store->backend = backend;
    if (directory != NULL)
        strncpy(store->directory, directory, sizeof store->directory - 1);
    store->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(store->wake >= 0, "eventfd: %s", strerror(errno));
    mailbox_init(&store->writes, wake, store);
    mailbox_init(&store->loads, wake, store);
    mailbox_init(&store->reaps, wake, store);
    pthread_mutex_init(&store->mutex, NULL);
    return store;
}

void store_put_write(struct store *store, struct store_write *write)
{
    mailbox_put(&store->writes, &write->mail);
}

void store_put_load(struct store *store, struct store_load *load)
{
    mailbox_put(&store->loads, &load->mail);
}

void store_put_reap(struct store *store, struct store_reap *reap)
{
    mailbox_put(&store->reaps, &reap->mail);
}

void store_fail_commit(struct store *store, unsigned n, enum store_status status)
{
    pthread_mutex_lock(&store->mutex);
    store->fail_after = n;
    store->fail_status = status;
    pthread_mutex_unlock(&store->mutex);
}

/* Counts a commit down; the outcome that a test wants for this one, or OK. */
static enum store_status forced_outcome(struct store *store)
{
    pthread_mutex_lock(&store->mutex);
    bool now = store->fail_after > 0 && --store->fail_after == 0;
    enum store_status status = now ? store->fail_status : STORE_OK;
    pthread_mutex_unlock(&store->mutex);
    return status;
}

static void note_commit(struct store *store, enum store_status status, int64_t began_ns)
{
    int64_t took_ns = clock_mono_ns() - began_ns;
    if (took_ns >= SLOW_NS)
        log_event(LOG_WARNING, "store.slow", "seconds=%.3f", (double)took_ns / NS_PER_S);
    pthread_mutex_lock(&store->mutex);
    if (status == STORE_OK)
        store->stats.commits++;
    histogram_add(&store->stats.commit, 1, took_ns);
    store->backend->calls->stats(store->backend, &store->stats);
    pthread_mutex_unlock(&store->mutex);
    if (status == STORE_IO && !store->broken) {
        store->broken = true;
        log_event(LOG_ERROR, "store.broken", "outcome=unknown");
    }
}

static void answer_loads(struct store *store, struct mail *list)
{
    for (struct mail *mail = list, *next; mail != NULL; mail = next) {
        next = mail->next; /* `done` may reuse the message */
        struct store_load *load = (struct store_load *)mail;
        store->backend->calls->load(store->backend, load);
        load->done(load);
    }
}

static void commit_writes(struct store *store, struct mail *list)
{
    if (list == NULL)
        return;
    enum store_status status = STORE_IO;
    if (!store->broken) {
        int64_t began = clock_mono_ns();
        const struct store_write *writes = (const struct store_write *)list;
        status = store->backend->calls->apply(store->backend, writes, forced_outcome(store));
        note_commit(store, status, began);
    }
    for (struct mail *mail = list, *next; mail != NULL; mail = next) {
        next = mail->next;
        struct store_write *write = (struct store_write *)mail;
        write->status = status;
        write->done(write);
    }
}

static void execute_reaps(struct store *store, struct mail *list)
{
    for (struct mail *mail = list, *next; mail != NULL; mail = next) {
        next = mail->next;
        struct store_reap *reap = (struct store_reap *)mail;
        reap->more = reap->entries = false;
        reap->jobs_removed = 0;
        reap->status = STORE_IO;
        if (!store->broken) {
            int64_t began = clock_mono_ns();
            store->backend->calls->reap(store->backend, reap, forced_outcome(store));
            note_commit(store, reap->status, began);
        }
        reap->done(reap);
    }
}

static void tend(struct store *store, bool idle)
{
    store->untidy = false;
    if (store->broken)
        return;
    enum store_status status = store->backend->calls->tend(store->backend, idle, &store->untidy);
    if (status == STORE_IO) {
        store->broken = true;
        log_event(LOG_ERROR, "store.broken", "outcome=checkpoint");
    }
    pthread_mutex_lock(&store->mutex);
    store->backend->calls->stats(store->backend, &store->stats);
    pthread_mutex_unlock(&store->mutex);
}

bool store_turn(struct store *store)
{
    struct mail *loads = mailbox_take(&store->loads);
    struct mail *writes = mailbox_take(&store->writes);
    struct mail *reaps = mailbox_take(&store->reaps);
    answer_loads(store, loads);
    commit_writes(store, writes);
    execute_reaps(store, reaps);
    if (writes != NULL || reaps != NULL)
        tend(store, false);
    return loads != NULL || writes != NULL || reaps != NULL;
}

/* Sleeps until mail comes; an idle moment is used to tidy up. */
static void wait_for_mail(struct store *store)
{
    struct pollfd waited = {.fd = store->wake, .events = POLLIN};
    int ready = poll(&waited, 1, store->untidy ? IDLE_MS : -1);
    if (ready == 0) {
        tend(store, true);
    } else if (ready > 0) {
        uint64_t count;
        ssize_t got = read(store->wake, &count, sizeof count);
        CHECK(got > 0 || errno == EAGAIN, "eventfd: %s", strerror(errno));
    }
}

static void *run(void *argument)
{
    struct store *store = argument;
    pthread_setname_np(pthread_self(), "store");
    for (;;) {
        bool last = atomic_load(&store->stopping); /* before the turn: what was put before the stop is executed */
        if (store_turn(store))
            continue;
        if (last)
            break;
        atomic_store(&store->asleep, true);
        if (!store_turn(store) && !atomic_load(&store->stopping)) /* what came before `asleep` was to be seen */
            wait_for_mail(store);
        atomic_store(&store->asleep, false);
    }
    tend(store, true);
    return NULL;
}

int store_start(struct store *store, struct error *error)
{
    atomic_store(&store->stopping, false);
    int result = pthread_create(&store->thread, NULL, run, store);
    if (result != 0)
        return error_set(error, "cannot start the store thread: %s", strerror(result));
    store->started = true;
    return 0;
}

void store_stop(struct store *store)
{
    if (!store->started)
        return;
    atomic_store(&store->stopping, true);
    wake(store);
    pthread_join(store->thread, NULL);
    store->started = false;
}

void store_stats(struct store *store, struct store_stats *stats)
{
    pthread_mutex_lock(&store->mutex);
    int64_t now = clock_mono_ns();
    if (store->directory[0] == '\0') {
        store->stats.free_bytes = INT64_MAX;
    } else if (store->looked_ns == 0 || now - store->looked_ns > LOOK_NS) {
        struct statvfs fs;
        if (statvfs(store->directory, &fs) == 0)
            store->stats.free_bytes = (int64_t)(fs.f_bavail * fs.f_frsize);
        store->looked_ns = now;
    }
    *stats = store->stats;
    pthread_mutex_unlock(&store->mutex);
}

struct store_reader *store_reader_open(struct store *store, struct error *error)
{
    return store->backend->calls->reader_open(store->backend, error);
}

void store_close(struct store **reference)
{
    if (reference == NULL || *reference == NULL)
        return;
    struct store *store = *reference;
    store_stop(store);
    store->backend->calls->close(store->backend);
    mailbox_destroy(&store->writes);
    mailbox_destroy(&store->loads);
    mailbox_destroy(&store->reaps);
    pthread_mutex_destroy(&store->mutex);
    fd_close(&store->wake);
    free(store);
    *reference = NULL;
}

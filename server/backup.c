#include "backup.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/backup.h"

static volatile sig_atomic_t stopped; /* by this signal */

static void on_signal(int number)
{
    stopped = number;
}

/* So that the partial file is removed. SIGPIPE stays ignored: a copy is no worse for a line that nobody reads. */
static void watch_signals(void)
{
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGQUIT, on_signal);
    signal(SIGXFSZ, SIG_IGN);                 /* EFBIG is an error like others */
    if (signal(SIGHUP, on_signal) == SIG_IGN) /* nohup */
        signal(SIGHUP, SIG_IGN);
}

static bool go_on(void *terminal, int64_t done, int64_t total)
{
    if (*(const bool *)terminal)
        fprintf(stderr, "\r%3d %% of %" PRId64 " MiB", (int)(total > 0 ? done * 100 / total : 0), total >> 20);
    return stopped == 0;
}

static int status_of(enum store_backup_end end)
{
    switch (end) {
    case BACKUP_DONE:
        return EX_OK;
    case BACKUP_NO_DATABASE:
        return EX_NOINPUT;
    case BACKUP_CANNOT_CREATE:
        return EX_CANTCREAT;
    case BACKUP_IO:
        return EX_IOERR;
    case BACKUP_STOPPED: /* as whoever sent the signal expects it */
        signal(stopped, SIG_DFL);
        raise(stopped);
    }
    return EX_SOFTWARE;
}

int backup_run(const struct config *config)
{
    struct error error = {""};
    bool terminal = isatty(STDERR_FILENO) == 1;
    struct store_backup backup = {
        .directory = config->data, .file = config->backup, .go_on = go_on, .context = &terminal};
    int64_t start = clock_mono_ns();
    watch_signals();
    enum store_backup_end end = store_backup(&backup, &error);
    if (terminal)
        fputs("\r\033[K", stderr);
    if (end == BACKUP_DONE)
        printf("%s: %" PRId64 " bytes, %" PRId64 " jobs, %.1f s\n", config->backup, backup.bytes, backup.jobs,
               (double)(clock_mono_ns() - start) / (double)NS_PER_S);
    else if (end != BACKUP_STOPPED)
        fprintf(stderr, "poold: backup: %s\n", error.text);
    return status_of(end);
}

#include "support/service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/certificate.h"
#include "support/procs.h"

long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void sleep_ms(int ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    while (nanosleep(&t, &t) == -1 && errno == EINTR)
        continue;
}

void service_print_log(const struct service *s, int lines)
{
    char command[400];
    snprintf(command, sizeof command, "tail -n %d '%s' >&2", lines, s->log);
    if (system(command) != 0)
        fprintf(stderr, "(no log)\n");
}

void service_give_up(const struct service *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "TEST FAILED: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n--- end of %s\n", s->log);
    va_end(arguments);
    service_print_log(s, 40);
    procs_kill_all(s->mark, s->pid);
    exit(1);
}

static const char *binary(void)
{
    const char *given = getenv("POOLD_BINARY");
    return given != NULL ? given : POOLD_BINARY;
}

static void child_run(const struct service *s)
{
    setsid();
    int log = open(s->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    dup2(log, 1);
    dup2(log, 2);
    setenv("POOLD_TEST_MARK", s->mark, 1);
    const char *argv[SERVICE_ARGS_MAX + 8] = {binary(), "--listen", "127.0.0.1:0", "--data", s->data};
    int n = 5;
    for (int i = 0; s->args[i] != NULL; i++)
        argv[n++] = s->args[i];
    signal(SIGPIPE, SIG_DFL);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(2, "cannot start %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

/* The port that was announced after byte `from` of the log; 0 = none yet. */
static unsigned announced_port(const struct service *s, off_t from)
{
    char text[65536];
    int fd = open(s->log, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return 0;
    ssize_t length = pread(fd, text, sizeof text - 1, from);
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    const char *said = s->ca != NULL ? "listening on https://127.0.0.1:" : "listening on http://127.0.0.1:";
    const char *found = strstr(text, said);
    unsigned port = 0;
    char end = 0;
    if (found == NULL || sscanf(found + strlen(said), "%u%c", &port, &end) != 2)
        return 0;
    return port;
}

bool service_try_start(struct service *s, int timeout_ms)
{
    struct stat st;
    off_t from = stat(s->log, &st) == 0 ? st.st_size : 0;
    pid_t pid = fork();
    if (pid == 0)
        child_run(s);
    s->pid = pid;
    for (long long end = now_ms() + timeout_ms; now_ms() < end && service_alive(s); sleep_ms(5)) {
        unsigned port = announced_port(s, from);
        if (port != 0) {
            s->port = port;
            return true;
        }
    }
    return false;
}

void service_start(struct service *s)
{
    if (!service_try_start(s, SERVICE_PATIENCE_MS))
        service_give_up(s, "poold did not say that it listens (%s)", binary());
}

static void speak_tls(struct service *s, int count)
{
    snprintf(s->cert, sizeof s->cert, "%s/cert.pem", s->dir);
    snprintf(s->key, sizeof s->key, "%s/key.pem", s->dir);
    certificate_make(s->cert, s->key);
    memcpy(&s->args[count], (const char *[]){"--tls-cert", s->cert, "--tls-key", s->key}, 4 * sizeof s->args[0]);
    s->ca = s->cert;
}

void service_begin(struct service *s, const char *const *args)
{
    memset(s, 0, sizeof *s);
    const char *tmp = getenv("TMPDIR");
    snprintf(s->dir, sizeof s->dir, "%s/poold-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(s->dir) == NULL) {
        perror(s->dir);
        exit(1);
    }
    snprintf(s->data, sizeof s->data, "%s/data", s->dir);
    snprintf(s->log, sizeof s->log, "%s/poold.log", s->dir);
    snprintf(s->mark, sizeof s->mark, "poold-test-%d-%lld", (int)getpid(), now_ms());
    int count = 0;
    for (; args != NULL && args[count] != NULL && count + 5 < SERVICE_ARGS_MAX; count++) {
        s->args[count] = args[count];
        if (count > 0 && strcmp(args[count - 1], "--tls-cert") == 0)
            s->ca = args[count];
    }
    if (getenv("POOLD_TEST_TLS") != NULL && s->ca == NULL)
        speak_tls(s, count);
    service_start(s);
}

static int exit_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool service_alive(struct service *s)
{
    if (s->pid == 0)
        return false;
    int status;
    if (waitpid(s->pid, &status, WNOHANG) == 0)
        return true;
    s->pid = 0;
    return false;
}

int service_stop(struct service *s, int patience_ms)
{
    if (s->pid == 0)
        return -1;
    kill(s->pid, SIGTERM);
    int status;
    for (long long end = now_ms() + patience_ms; now_ms() < end; sleep_ms(5)) {
        if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
            s->pid = 0;
            return exit_code(status);
        }
    }
    fprintf(stderr, "poold did not end within %d ms of SIGTERM\n", patience_ms);
    service_print_log(s, 20);
    kill(s->pid, SIGKILL);
    waitpid(s->pid, &status, 0);
    s->pid = 0;
    return -1;
}

bool service_database_sound(const struct service *s)
{
    char path[320];
    snprintf(path, sizeof path, "%s/poold.db", s->data);
    if (access(path, F_OK) == -1)
        return true;
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    bool sound = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
                 sqlite3_busy_timeout(db, 10000) == SQLITE_OK &&
                 sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &row, NULL) == SQLITE_OK &&
                 sqlite3_step(row) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(row, 0), "ok") == 0;
    if (!sound)
        fprintf(stderr, "integrity_check: %s\n", sqlite3_errmsg(db));
    sqlite3_finalize(row);
    sqlite3_close(db);
    return sound;
}

unsigned service_log_count(const struct service *s, const char *text)
{
    FILE *f = fopen(s->log, "re");
    char line[8192];
    unsigned count = 0;
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        count += strstr(line, text) != NULL;
    if (f != NULL)
        fclose(f);
    return count;
}

unsigned service_server_deaths(const struct service *s)
{
    FILE *f = fopen(s->log, "re");
    char line[8192], before[8192] = "";
    unsigned count = 0;
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        bool gone = strstr(line, " event=server.gone ") != NULL;
        if (gone && strstr(line, " signal=SIGKILL ") == NULL && strstr(line, " exit_code=0 ") == NULL) {
            fprintf(stderr, "WRONG: a server ended by itself: %s%s", before, line);
            count++;
        }
        memcpy(before, line, sizeof before); /* where a failed check has said why */
    }
    if (f != NULL)
        fclose(f);
    return count;
}

void service_discard(struct service *s)
{
    procs_kill_all(s->mark, s->pid);
    if (s->pid != 0)
        waitpid(s->pid, NULL, 0);
    s->pid = 0;
    if (getenv("POOLD_TEST_KEEP") != NULL) {
        fprintf(stderr, "kept: %s\n", s->dir);
        return;
    }
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", s->dir);
    if (system(command) != 0)
        fprintf(stderr, "could not remove %s\n", s->dir);
}

void service_end(struct service *s)
{
    if (s->pid != 0) {
        int status = service_stop(s, SERVICE_PATIENCE_MS);
        if (status != 0)
            service_give_up(s, "poold ended with status %d after SIGTERM", status);
    }
    if (!procs_wait_none(s->mark, 5000))
        service_give_up(s, "processes outlived poold");
    if (!service_database_sound(s))
        service_give_up(s, "the database is damaged");
    if (service_server_deaths(s) != 0)
        service_give_up(s, "a server ended by itself");
    service_discard(s);
}

/* config: the options of poold, from flags, POOLD_… variables and a file of `name = value` lines,
 * in this order of precedence. One table (config.c) names each option once: its flag, variable and
 * file key are the same word ("--max-body", POOLD_MAX_BODY, `max-body`).
 *
 * poold parses; it hands the server and workers what they need as flags of their own, through
 * config_to_argv, so that all three read one table. Not thread-safe; read-only after parsing. */
#ifndef POOLD_BASE_CONFIG_H
#define POOLD_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

#define CONFIG_FUNCTIONS_MAX 16

/* What functions are kept from: nothing; what the kernel can; that, or no worker starts. */
enum sandbox_mode { SANDBOX_OFF, SANDBOX_AUTO, SANDBOX_STRICT };

struct config {
    char listen[128];          /* ADDR:PORT, [V6]:PORT; default 127.0.0.1:8080; port 0 picks one */
    char data[1024];           /* data directory; default ./poold-data; created when missing, 0700 */
    unsigned processes;        /* pool size; 0 (the default) = cpu_count() */
    char functions[CONFIG_FUNCTIONS_MAX][1024]; /* --functions, repeatable */
    unsigned functions_count;
    char token_file[1024];     /* "" = none */
    char tls_cert[1024];       /* PEM, with its chain; "" = plain HTTP */
    char tls_key[1024];        /* PEM */
    char allow_hosts[1024];    /* further Host names that are ours, comma separated */
    bool check;                /* look at configuration and manifests, print what was found, and exit */
    bool test_functions;       /* fault injectors may be called */
    char backup[1024];         /* copy the database there, and exit; "" = serve */
    enum log_level log_level;
    enum log_format log_format;
    unsigned grace_s;          /* drain on SIGTERM: how long running items may finish; default 10 */
    unsigned kill_grace_ms;    /* SIGTERM → SIGKILL for one worker; default 2000 */
    enum sandbox_mode sandbox;
    char worker_user[65];      /* whom workers run as when poold was started as root; "" = root, too */
    unsigned idle_runtimes;    /* of a worker: so many that have nothing to do stay warm; default 4, at most 64 */
    unsigned hello_deadline_ms; /* a worker's first sign; default 10000 */
    int64_t retention_s;       /* how long finished jobs are kept; default 604800 (7 days) */
    int64_t max_body;          /* bytes of one JSON body; default 64 MiB (NDJSON is not limited) */
    int64_t max_item;          /* bytes of one item; default 8 MiB (the frame's limit) */
    int64_t max_value;         /* bytes of one value; default 8 MiB (the frame's limit) */
    int64_t max_objects;       /* bytes: memory for the elements of shared objects; default 256 MiB */
    int64_t min_free;          /* bytes: below this much free disk, submissions get 507; default 64 MiB */
    unsigned max_connections;  /* default 1024 */
    unsigned max_connections_per_address; /* default 512 */
    unsigned max_streams;      /* suspended streams and waits; default 512 */
    unsigned client_rate;      /* requests a second of one client; 0 = any */
    unsigned client_jobs;      /* unfinished jobs of one client; 0 = any */
    unsigned client_streams;   /* streams and waits of one client; 0 = any */
    unsigned head_timeout_ms;  /* a request's head must be complete in this time; default 10000 */
    unsigned body_timeout_ms;  /* longest silence within a body; default 60000 */
    /* set by poold for its children, not for people */
    bool read_only;            /* after a storage error: serve what is there, accept nothing */
};

enum config_result { CONFIG_OK, CONFIG_HELP, CONFIG_VERSION, CONFIG_ERROR };

/* Fills `config` with defaults, then file, environment, flags. On CONFIG_ERROR `message` says which
 * option of which source is wrong and what was expected. */
enum config_result config_parse(struct config *config, int argc, char **argv, char *message, size_t message_size);
/* The text of --help: usage, every option with its default and variable. Prints to `stream` (FILE *). */
void config_print_help(void *stream);
/* A NULL-terminated argv ("program", "--listen=…", …) that config_parse reads back to the same values.
 * Allocated in one block: free() it. */
char **config_to_argv(const struct config *, const char *program);

#define POOLD_VERSION "0.1.0"

#endif

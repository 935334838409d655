#include "base/config_table.h"

#include "base/config.h"

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define DAY INT64_C(86400)

/* base cannot see wire/limits.h: 8 MiB and 480 below are its ITEM_BYTES_MAX and PROCESSES_MAX. */

static const char *const level_words[] = {"error", "warning", "info", "debug", NULL};
static const char *const format_words[] = {"text", "json", NULL};
static const char *const sandbox_words[] = {"off", "auto", "strict", NULL};

#define FIELD(member) .offset = offsetof(struct config, member), .size = sizeof((struct config *)NULL)->member

/* One option in three lines, not ten: */
/* clang-format off */
const struct option config_options[] = {
    {.heading = "Service", .name = "listen", .kind = KIND_ADDRESS, FIELD(listen), .standard = "127.0.0.1:8080",
     .value = "ADDR:PORT",
     .help = "Where to serve HTTP: 127.0.0.1:8080, [::1]:8080, 0.0.0.0:8080.\n"
             "Port 0 picks a free one; it is announced on stderr.\n"
             "Other than loopback needs --token-file."},
    {.name = "data", .kind = KIND_TEXT, FIELD(data), .standard = "./poold-data", .value = "DIR",
     .help = "Where jobs and results are kept; created when missing."},
    {.name = "processes", .kind = KIND_COUNT, FIELD(processes), .most = 480, .standard = "0", .value = "N",
     .help = "Worker processes in the pool; 0 = one for each CPU that\naffinity and cgroup allow."},
    {.name = "functions", .kind = KIND_LIST, FIELD(functions), .standard = "", .value = "DIR",
     .help = "A folder of function manifests (*.json). Repeat it for more;\nin the variable, separate with ':'."},
    {.name = "config", .kind = KIND_FILE, .standard = "", .value = "FILE",
     .help = "Read options from FILE: lines of `name = value`, with the\nnames of this list; # begins a comment."},
    {.name = "check", .kind = KIND_FLAG, FIELD(check), .standard = "false", .value = "",
     .help = "Only look whether the options and all manifests are right:\n"
             "prints a line for each manifest and exits with 0, or says\n"
             "what is wrong and exits with 78."},
    {.name = "backup", .kind = KIND_TEXT, FIELD(backup), .standard = "", .value = "FILE",
     .help = "Only copy the database of --data to FILE, whole and consistent,\nalso while another poold serves it, and exit."},
    {.name = "log-level", .kind = KIND_WORD, FIELD(log_level), .words = level_words, .standard = "info",
     .value = "LEVEL", .help = "error, warning, info or debug."},
    {.name = "log-format", .kind = KIND_WORD, FIELD(log_format), .words = format_words, .standard = "text",
     .value = "FORMAT", .help = "One line an event on stderr: text (key=value) or json."},

    {.heading = "Access", .name = "token-file", .kind = KIND_TEXT, FIELD(token_file), .standard = "", .value = "FILE",
     .help = "What clients must send as `Authorization: Bearer TOKEN`: a text of\n"
             "at least 32 bytes, or one on each line with its scopes, functions\n"
             "and limits (docs/security.md). SIGHUP reads it again."},
    {.name = "tls-cert", .kind = KIND_TEXT, FIELD(tls_cert), .standard = "", .value = "FILE",
     .help = "Serve HTTPS: the certificate with its chain, PEM. SIGHUP reads it\nagain."},
    {.name = "tls-key", .kind = KIND_TEXT, FIELD(tls_key), .standard = "", .value = "FILE",
     .help = "Its private key, PEM."},
    {.name = "allow-hosts", .kind = KIND_TEXT, FIELD(allow_hosts), .standard = "", .value = "NAME,...",
     .help = "Further names that clients may use for this service in the\n"
             "Host header, comma separated; others are refused."},

    {.heading = "Processes", .name = "grace", .kind = KIND_SECONDS, FIELD(grace_s), .most = DAY, .standard = "10s",
     .value = "TIME",
     .help = "On SIGTERM: how long running items may still finish."},
    {.name = "kill-grace", .kind = KIND_MS, FIELD(kill_grace_ms), .most = 600 * 1000, .standard = "2s",
     .value = "TIME",
     .help = "From SIGTERM to SIGKILL for a worker that must stop."},
    {.name = "hello-deadline", .kind = KIND_MS, FIELD(hello_deadline_ms), .least = 100, .most = 600 * 1000,
     .standard = "10s", .value = "TIME",
     .help = "A new worker that is silent for this long is replaced."},
    {.name = "idle-runtimes", .kind = KIND_COUNT, FIELD(idle_runtimes), .most = 64, .standard = "4", .value = "N",
     .help = "How many runtimes (Python, Node, ...) a worker keeps warm\nwhile they have nothing to do."},

    {.name = "sandbox", .kind = KIND_WORD, FIELD(sandbox), .words = sandbox_words, .standard = "auto",
     .value = "MODE",
     .help = "What functions are kept from (seccomp, Landlock; docs/security.md):\n"
             "auto: as far as the kernel can; strict: workers do not start\nwithout; off."},
    {.name = "worker-user", .kind = KIND_TEXT, FIELD(worker_user), .standard = "", .value = "USER",
     .help = "Started as root: the user that workers and functions run as (name\nor number). Without it they are root, too, and poold warns."},

    {.heading = "Storage", .name = "retention", .kind = KIND_SECONDS, FIELD(retention_s), .most = 36500 * DAY,
     .standard = "7d", .value = "TIME",
     .help = "How long finished jobs and their results are kept."},
    {.name = "min-free", .kind = KIND_SIZE, FIELD(min_free), .most = INT64_MAX, .standard = "64M", .value = "SIZE",
     .help = "With less free disk than this, submissions are refused (507)."},

    {.heading = "Limits", .name = "max-body", .kind = KIND_SIZE, FIELD(max_body), .least = KIB, .most = INT64_MAX,
     .standard = "64M", .value = "SIZE",
     .help = "Largest JSON body; an NDJSON body may be of any length."},
    {.name = "max-item", .kind = KIND_SIZE, FIELD(max_item), .least = 1, .most = 8 * MIB, .standard = "8M",
     .value = "SIZE",
     .help = "Largest single item, at most 8M."},
    {.name = "max-value", .kind = KIND_SIZE, FIELD(max_value), .least = 1, .most = 8 * MIB, .standard = "8M",
     .value = "SIZE",
     .help = "Largest result of one item, at most 8M."},
    {.name = "max-objects", .kind = KIND_SIZE, FIELD(max_objects), .least = MIB, .most = INT64_MAX,
     .standard = "256M", .value = "SIZE",
     .help = "Memory for what is in shared queues, dicts, lists and so on."},
    {.name = "max-connections", .kind = KIND_COUNT, FIELD(max_connections), .least = 8, .most = 1000000,
     .standard = "1024", .value = "N",
     .help = "Client connections at a time."},
    {.name = "max-connections-per-address", .kind = KIND_COUNT, FIELD(max_connections_per_address), .least = 1,
     .most = 1000000, .standard = "512", .value = "N",
     .help = "The same, from one address (of IPv6 one /64 network)."},
    {.name = "max-streams", .kind = KIND_COUNT, FIELD(max_streams), .least = 1, .most = 1000000, .standard = "512",
     .value = "N",
     .help = "Requests that stream or wait at a time."},
    {.name = "client-rate", .kind = KIND_COUNT, FIELD(client_rate), .most = 1000000, .standard = "0", .value = "N",
     .help = "Requests a second that one client (a token, or without tokens an\naddress) may make; 0 = any. Others get 429."},
    {.name = "client-jobs", .kind = KIND_COUNT, FIELD(client_jobs), .most = 1000000, .standard = "0", .value = "N",
     .help = "Unfinished jobs that one client may have; 0 = any."},
    {.name = "client-streams", .kind = KIND_COUNT, FIELD(client_streams), .most = 1000000, .standard = "0",
     .value = "N",
     .help = "Streams and waits that one client may hold; 0 = any."},
    {.name = "head-timeout", .kind = KIND_MS, FIELD(head_timeout_ms), .least = 10, .most = 3600 * 1000,
     .standard = "10s", .value = "TIME",
     .help = "A request's head must be complete in this time."},
    {.name = "body-timeout", .kind = KIND_MS, FIELD(body_timeout_ms), .least = 10, .most = 3600 * 1000,
     .standard = "60s", .value = "TIME",
     .help = "The longest silence within a request's body."},

    {.heading = "Testing", .name = "test-functions", .kind = KIND_FLAG, FIELD(test_functions), .standard = "false",
     .value = "",
     .help = "Allow the functions that crash, hang and leak on purpose.\nNever in production."},

    /* from poold to its children */
    {.name = "read-only", .kind = KIND_FLAG, FIELD(read_only), .standard = "false"},
};
/* clang-format on */
const size_t config_option_count = sizeof config_options / sizeof config_options[0];

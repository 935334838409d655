/* poold: reads its options, takes the data directory and the port, then keeps a server and its workers alive. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/config.h"
#include "base/error.h"
#include "base/log.h"
#include "supervisor/supervisor.h"

/* Static: half a hundred KiB of tables. */
static struct supervisor supervisor;

static int run(const struct config *config)
{
    struct error error = {""};
    int status = EX_CONFIG;
    log_setup("poold", config->log_level, config->log_format);
    if (supervisor_init(&supervisor, config, &error) == 0)
        status = supervisor_run(&supervisor);
    else
        fprintf(stderr, "poold: %s\n", error.text);
    supervisor_destroy(&supervisor);
    return status;
}

/* Returns only when something is wrong. */
static int check(const struct config *config, char **argv)
{
    struct error error = {""};
    supervisor_check(&supervisor, config, argv, &error);
    fprintf(stderr, "poold: %s\n", error.text);
    return EX_CONFIG;
}

/* The same: it is poold-server that knows the database. */
static int backup(const struct config *config, char **argv)
{
    struct error error = {""};
    supervisor_become_server(&supervisor, config, argv, &error);
    fprintf(stderr, "poold: %s\n", error.text);
    return EX_CONFIG;
}

/* Options that cannot be read: what --check was to find out, too. */
static int refuse(char **argv, const char *message)
{
    int status = EX_USAGE;
    for (char **word = argv + 1; *word != NULL; word++)
        if (strcmp(*word, "--check") == 0)
            status = EX_CONFIG;
    fprintf(stderr, "poold: %s\n", message);
    return status;
}

int main(int argc, char **argv)
{
    static struct config config;
    char message[1024];
    switch (config_parse(&config, argc, argv, message, sizeof message)) {
    case CONFIG_OK:
        if (config.check)
            return check(&config, argv);
        return config.backup[0] != '\0' ? backup(&config, argv) : run(&config);
    case CONFIG_HELP:
        config_print_help(stdout);
        return 0;
    case CONFIG_VERSION:
        printf("poold %s\n", POOLD_VERSION);
        return 0;
    case CONFIG_ERROR:
        break;
    }
    return refuse(argv, message);
}

/* config_table: every option of poold, once: its flag, variable and file key, its field, its help. Inside of base: the
 * reader of config.c goes by it. Read-only; any thread. */
#ifndef POOLD_BASE_CONFIG_TABLE_H
#define POOLD_BASE_CONFIG_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum option_kind {
    KIND_TEXT,    /* char[] */
    KIND_ADDRESS, /* char[], HOST:PORT */
    KIND_LIST,    /* char[CONFIG_FUNCTIONS_MAX][…] and functions_count */
    KIND_FLAG,    /* bool */
    KIND_WORD,    /* an enum: the number of the word in `words` */
    KIND_COUNT,   /* unsigned or int64_t, like the following */
    KIND_SIZE,    /* bytes, with K M G */
    KIND_SECONDS, /* stored as seconds, written with ms s m h d */
    KIND_MS,      /* the same, stored as ms */
    KIND_FILE     /* --config itself: read before the others, not stored */
};

struct option {
    const char *name; /* "max-body": flag, file key, and variable with POOLD_ in front */
    enum option_kind kind;
    size_t offset, size;  /* of the field; size tells unsigned from int64_t and limits a text */
    int64_t least, most;  /* of numbers, in the unit of the field */
    const char *standard; /* the default, as a person would write it */
    const char *value;    /* what stands for the value in the help; NULL: the option is not shown */
    const char *help;
    const char *heading;      /* a group of the help begins here */
    const char *const *words; /* of KIND_WORD, in the order of the enum; NULL at the end */
};

/* In the order of the help. */
extern const struct option config_options[];
extern const size_t config_option_count;

#endif

/* dashboard: the files of the page at `/`, as bytes of the program. They ask the public API only. */
#ifndef POOLD_DASHBOARD_DASHBOARD_H
#define POOLD_DASHBOARD_DASHBOARD_H

#include <stddef.h>

struct dashboard_file {
    const char *name; /* index.html, app.js, … */
    const char *type; /* the media type */
    const char *bytes;
    size_t length;
    char tag[20]; /* its ETag, with the quotes */
};

/* NULL when there is none of that name. The first call makes the tags: one thread only. */
const struct dashboard_file *dashboard_find(const char *name);

#endif

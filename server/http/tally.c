#include "http/tally.h"

#include <stdio.h>
#include <strings.h>

#include "base/check.h"
#include "http/exposition.h"
#include "http/request.h"

enum { OTHER, HEAD = TALLY_METHODS - 1 };

/* The place of a method is that of its bit, from 1. */
static unsigned place(unsigned method, bool head)
{
    return head ? HEAD : (unsigned)ffs((int)method);
}

static const char *name_of(unsigned place)
{
    static const char *const names[TALLY_METHODS] = {"other", "GET", "POST",    "DELETE",
                                                     "PATCH", "PUT", "OPTIONS", "HEAD"};
    return names[place];
}

void tally_add(struct tally *tally, unsigned method, bool head, unsigned status)
{
    CHECK(method <= METHOD_OPTIONS && status < TALLY_STATUS_END, "method %u, status %u", method, status);
    tally->counts[place(method, head)][status]++;
}

void tally_write(struct buf *b, const char *name, const struct tally *tally)
{
    char code[12];
    for (unsigned method = OTHER; method < TALLY_METHODS; method++) {
        for (unsigned status = 0; status < TALLY_STATUS_END; status++) {
            if (!tally->counts[method][status])
                continue;
            snprintf(code, sizeof code, "%u", status);
            exposition_sample_of_two(b, name, "method", name_of(method), "code", code, tally->counts[method][status]);
        }
    }
}

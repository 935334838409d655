#include "base/id.h"

#include <string.h>

#include "base/check.h"

#define TIME_DIGITS 9 /* 45 bits of ms: until the year 3084 */
#define SEQ_DIGITS 7
_Static_assert(TIME_DIGITS + SEQ_DIGITS == JOB_ID_LENGTH, "an id is a time and a seq");

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* Crockford: no i l o u */

static void put_number(char *text, int count, int64_t number)
{
    for (int i = count - 1; i >= 0; i--, number >>= 5)
        text[i] = digits[number & 31];
}

/* The number, or -1 when one of the characters is no digit. */
static int64_t get_number(const char *text, int count)
{
    int64_t number = 0;
    for (int i = 0; i < count; i++) {
        const char *digit = strchr(digits, text[i]);
        if (digit == NULL || *digit == '\0')
            return -1;
        number = number << 5 | (digit - digits);
    }
    return number;
}

void job_id_format(char text[JOB_ID_LENGTH + 1], int64_t created_ms, int64_t seq)
{
    CHECK(created_ms >= 0 && created_ms < INT64_C(1) << 5 * TIME_DIGITS, "time %lld", (long long)created_ms);
    CHECK(seq >= 1 && seq <= JOB_SEQ_MAX, "seq %lld", (long long)seq);
    put_number(text, TIME_DIGITS, created_ms);
    put_number(text + TIME_DIGITS, SEQ_DIGITS, seq);
    text[JOB_ID_LENGTH] = '\0';
}

int job_id_parse(const char *text, int64_t *created_ms, int64_t *seq)
{
    if (strnlen(text, JOB_ID_LENGTH + 1) != JOB_ID_LENGTH)
        return -1;
    int64_t time = get_number(text, TIME_DIGITS);
    int64_t number = get_number(text + TIME_DIGITS, SEQ_DIGITS);
    if (time < 0 || number < 1 || number > JOB_SEQ_MAX)
        return -1;
    *created_ms = time;
    *seq = number;
    return 0;
}

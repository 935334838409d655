/* Lists and dicts against naive models: thousands of short lives of random operations with restarts among them. What
 * Python would do is written down here as simply as it can be. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects_kit.h"

static uint64_t seed;

static unsigned below(unsigned limit) /* splitmix64 */
{
    uint64_t z = (seed += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (unsigned)((z ^ (z >> 31)) >> 32) % limit;
}

static struct kit kit;
static unsigned life; /* named when something is wrong */

static void is(const char *object, const char *op, const char *args, enum object_status status, const char *answer)
{
    struct kit_call *call = kit_begin(&kit, 1, object, op, 0, args);
    char *wanted = answer ? strdup(answer) : NULL;
    for (char *at = wanted; at && (at = strchr(at, '\''));)
        *at = '"';
    if (call->call.status != status || (wanted && strcmp(call->text, wanted) != 0))
        fail_msg("life %u: %s %s %s: %s %s, but should be %s %s", life, object, op, args,
                 object_status_name(call->call.status), call->text, object_status_name(status), wanted ? wanted : "");
    free(wanted);
    kit_end(&call);
}

/* ---- a list of numbers in several spellings ---- */

enum { MOST = 200 };

struct item {
    int value;
    char text[12];
};

struct model {
    struct item items[MOST];
    int count;
};

static struct item random_item(void)
{
    static const char *const spellings[] = {"%d", "%d.0", "%d.00", "%de0"};
    struct item item = {.value = (int)below(10)};
    snprintf(item.text, sizeof item.text, spellings[below(4)], item.value);
    if (item.value == 1 && life % 2 && below(2)) /* then a list is no longer one of numbers only */
        strcpy(item.text, "true");
    return item;
}

static void model_text(const struct model *model, int start, int stop, struct buf *out)
{
    buf_clear(out, SIZE_MAX);
    buf_append_char(out, '[');
    for (int i = start; i < stop; i++)
        buf_printf(out, "%s%s", i > start ? "," : "", model->items[i].text);
    buf_append_char(out, ']');
}

/* Replaces [start, stop) with what `other` has. */
static void model_splice(struct model *model, int start, int stop, const struct model *other)
{
    struct model result = {.count = 0};
    for (int i = 0; i < start; i++)
        result.items[result.count++] = model->items[i];
    for (int i = 0; i < other->count; i++)
        result.items[result.count++] = other->items[i];
    for (int i = stop; i < model->count; i++)
        result.items[result.count++] = model->items[i];
    *model = result;
}

static void model_sort(struct model *model, bool reverse)
{
    for (int i = 1; i < model->count; i++) {
        struct item item = model->items[i];
        int at = i;
        for (; at > 0 && (reverse ? model->items[at - 1].value < item.value : model->items[at - 1].value > item.value);
             at--)
            model->items[at] = model->items[at - 1];
        model->items[at] = item;
    }
}

static int model_find(const struct model *model, int value)
{
    int at = 0;
    while (at < model->count && model->items[at].value != value)
        at++;
    return at;
}

/* An index from below the list to behind it, and what Python makes of it. */
static int random_index(const struct model *model, int *found)
{
    int index = (int)below((unsigned)(2 * model->count + 4)) - model->count - 2;
    *found = index < 0 ? index + model->count : index;
    return index;
}

static int clamp(int found, int count)
{
    return found < 0 ? 0 : found > count ? count : found;
}

static void one_element(struct model *model)
{
    char args[100], answer[60];
    int found, index = random_index(model, &found);
    bool there = found >= 0 && found < model->count;
    struct item item = random_item();
    enum object_status status = there ? OBJECT_OK : OBJECT_NO_ENTRY;
    struct model nothing = {.count = 0};
    snprintf(answer, sizeof answer, "{'value':%s}", there ? model->items[found].text : "");
    switch (below(5)) {
    case 0:
        snprintf(args, sizeof args, "{'index':%d}", index);
        is("lists/l", "get", args, status, there ? answer : NULL);
        return;
    case 1:
        snprintf(args, sizeof args, "{'index':%d,'value':%s}", index, item.text);
        is("lists/l", "set", args, status, NULL);
        if (there)
            model->items[found] = item;
        return;
    case 2:
        snprintf(args, sizeof args, "{'index':%d}", index);
        is("lists/l", "pop", args, status, there ? answer : NULL);
        break;
    case 3:
        snprintf(args, sizeof args, "{'index':%d}", index);
        is("lists/l", "delete_at", args, status, NULL);
        break;
    default:
        snprintf(args, sizeof args, "{'value':%s}", item.text);
        found = model_find(model, item.value);
        there = found < model->count;
        is("lists/l", "remove", args, there ? OBJECT_OK : OBJECT_NO_ENTRY, NULL);
    }
    if (there)
        model_splice(model, found, found + 1, &nothing);
}

static void some_elements(struct model *model)
{
    struct buf args = BUF_EMPTY, values = BUF_EMPTY;
    struct model added = {.count = (int)below(6)};
    for (int i = 0; i < added.count; i++)
        added.items[i] = random_item();
    int from, to, start = random_index(model, &from), stop = random_index(model, &to);
    from = clamp(from, model->count);
    to = clamp(to, model->count) < from ? from : clamp(to, model->count);
    model_text(&added, 0, added.count, &values);
    switch (below(4)) {
    case 0:
        buf_printf(&args, "{'start':%d,'stop':%d,'values':%s}", start, stop, buf_cstr(&values));
        is("lists/l", "set_slice", buf_cstr(&args), OBJECT_OK, "");
        break;
    case 1:
        buf_printf(&args, "{'values':%s}", buf_cstr(&values));
        is("lists/l", "extend", buf_cstr(&args), OBJECT_OK, "");
        from = to = model->count;
        break;
    case 2:
        added.count = 1;
        added.items[0] = random_item();
        buf_printf(&args, "{'index':%d,'value':%s}", start, added.items[0].text);
        is("lists/l", "insert", buf_cstr(&args), OBJECT_OK, "");
        to = from;
        break;
    default:
        added.count = 0;
        buf_printf(&args, "{'start':%d,'stop':%d}", start, stop);
        model_text(model, from, to, &values);
        struct buf answer = BUF_EMPTY;
        buf_printf(&answer, "{'values':%s}", buf_cstr(&values));
        is("lists/l", "slice", buf_cstr(&args), OBJECT_OK, buf_cstr(&answer));
        buf_free(&answer);
        from = to = 0;
    }
    model_splice(model, from, to, &added);
    buf_free(&args);
    buf_free(&values);
}

/* Many at one place, so that ranks run out. */
static void same_place(struct model *model)
{
    int at = (int)below((unsigned)model->count + 1);
    for (int i = 0; i < 35; i++) {
        char args[100];
        struct model added = {.items = {random_item()}, .count = 1};
        snprintf(args, sizeof args, "{'index':%d,'value':%s}", at, added.items[0].text);
        is("lists/l", "insert", args, OBJECT_OK, "");
        model_splice(model, at, at, &added);
        at += (int)below(2);
    }
}

static void whole_list(struct model *model)
{
    struct item wanted = random_item();
    char args[60], answer[60];
    int found = model_find(model, wanted.value), number = 0;
    snprintf(args, sizeof args, "{'value':%s}", wanted.text);
    for (int i = 0; i < model->count; i++)
        number += model->items[i].value == wanted.value;
    switch (below(5)) {
    case 0:
        snprintf(answer, sizeof answer, "{'index':%d}", found);
        is("lists/l", "index", args, number ? OBJECT_OK : OBJECT_NO_ENTRY, number ? answer : NULL);
        return;
    case 1:
        snprintf(answer, sizeof answer, "{'count':%d}", number);
        is("lists/l", "count", args, OBJECT_OK, answer);
        return;
    case 2:
        is("lists/l", "sort", "{'reverse':false}", OBJECT_OK, "");
        model_sort(model, false);
        return;
    case 3:
        is("lists/l", "sort", "{'reverse':true}", OBJECT_OK, "");
        model_sort(model, true);
        return;
    default:
        is("lists/l", "reverse", "", OBJECT_OK, "");
        for (int i = 0; i < model->count / 2; i++) {
            struct item item = model->items[i];
            model->items[i] = model->items[model->count - 1 - i];
            model->items[model->count - 1 - i] = item;
        }
    }
}

static void list_step(struct model *model)
{
    unsigned what = below(40);
    if (model->count > MOST - 50 || what == 0) {
        is("lists/l", "clear", "", OBJECT_OK, "");
        model->count = 0;
    } else if (what == 1) {
        kit_restart(&kit);
    } else if (what == 2) {
        same_place(model);
    } else if (what < 18) {
        one_element(model);
    } else if (what < 34) {
        some_elements(model);
    } else {
        whole_list(model);
    }
}

static void check_list(const struct model *model)
{
    struct buf text = BUF_EMPTY, answer = BUF_EMPTY;
    model_text(model, 0, model->count, &text);
    buf_printf(&answer, "{'values':%s}", buf_cstr(&text));
    is("lists/l", "slice", "", OBJECT_OK, buf_cstr(&answer));
    buf_free(&text);
    buf_free(&answer);
}

static void test_lists(void **state)
{
    (void)state;
    for (life = 1; life <= 1200; life++) {
        struct model model = {.count = 0};
        seed = life;
        kit_start(&kit);
        kit.check_restore = false;
        for (int step = 0; step < 60; step++) {
            list_step(&model);
            check_list(&model);
        }
        kit_restart(&kit);
        check_list(&model);
        is("lists/l", "clear", "", OBJECT_OK, "");
        struct object_counters counters;
        objects_counters(kit.objects, &counters);
        is("lists/l", "append", "{'value':1}", OBJECT_OK, "");
        is("lists/l", "pop", "", OBJECT_OK, "{'value':1}");
        uint64_t bytes = counters.bytes;
        objects_counters(kit.objects, &counters);
        assert_int_equal(counters.bytes, bytes); /* what goes is accounted as what came */
        kit_stop(&kit);
    }
}

/* ---- a dict ---- */

struct pair {
    int key, value;
    uint64_t version;
};

struct pairs {
    struct pair items[64];
    int count;
    uint64_t last; /* the greatest version seen */
};

static int pairs_find(const struct pairs *pairs, int key)
{
    int at = 0;
    while (at < pairs->count && pairs->items[at].key != key)
        at++;
    return at;
}

static void pairs_drop(struct pairs *pairs, int at)
{
    pairs->count--;
    memmove(&pairs->items[at], &pairs->items[at + 1], (size_t)(pairs->count - at) * sizeof pairs->items[0]);
}

static void pairs_put(struct pairs *pairs, int key, int value, uint64_t version)
{
    int at = pairs_find(pairs, key);
    pairs->count += at == pairs->count;
    pairs->items[at] = (struct pair){key, value, version};
    pairs->last = version > pairs->last ? version : pairs->last;
}

/* Keys come escaped or not. */
static const char *spelled(int key)
{
    static char text[2][20];
    static unsigned turn;
    char *spelling = text[turn++ % 2];
    snprintf(spelling, sizeof text[0], below(2) ? "'k%c'" : "'\\u006b%c'", 'a' + key);
    return spelling;
}

/* A call that sets: the version it answers must be greater than all before. */
static void put_by(struct pairs *pairs, const char *op, const char *args, int key, int value)
{
    struct kit_call *call = kit_begin(&kit, 1, "dicts/d", op, 0, args);
    assert_int_equal(call->call.status, OBJECT_OK);
    if (call->call.version <= pairs->last)
        fail_msg("life %u: %s %s: version %llu after %llu", life, op, args, (unsigned long long)call->call.version,
                 (unsigned long long)pairs->last);
    pairs_put(pairs, key, value, call->call.version);
    kit_end(&call);
}

static void set_one(struct pairs *pairs, int key, int at)
{
    char args[120];
    int value = (int)below(100);
    bool there = at < pairs->count;
    uint64_t version = there ? pairs->items[at].version : 0, wanted = below(2) ? version : below(5);
    switch (below(4)) {
    case 0:
        snprintf(args, sizeof args, "{'key':%s,'value':%d}", spelled(key), value);
        put_by(pairs, "set", args, key, value);
        return;
    case 1:
        snprintf(args, sizeof args, "{'version':%d,'key':%s,'value':%d}", (int)wanted, spelled(key), value);
        if (wanted == version)
            put_by(pairs, "set", args, key, value);
        else
            is("dicts/d", "set", args, OBJECT_CHANGED, NULL);
        return;
    case 2:
        snprintf(args, sizeof args, "{'key':%s,'by':%d}", spelled(key), value);
        put_by(pairs, "add", args, key, there ? pairs->items[at].value + value : value);
        return;
    default:
        snprintf(args, sizeof args, "{'key':%s,'value':%d}", spelled(key), value);
        if (there)
            is("dicts/d", "setdefault", args, OBJECT_OK, NULL);
        else
            put_by(pairs, "setdefault", args, key, value);
    }
}

static void update_some(struct pairs *pairs)
{
    struct buf args = BUF_EMPTY;
    int keys[5], values[5], count = (int)below(6);
    buf_append_text(&args, "{'entries':{");
    for (int i = 0; i < count; i++) {
        keys[i] = (int)below(12);
        values[i] = (int)below(100);
        buf_printf(&args, "%s%s:%d", i ? "," : "", spelled(keys[i]), values[i]);
    }
    buf_append_text(&args, "}}");
    is("dicts/d", "update", buf_cstr(&args), OBJECT_OK, "");
    for (int i = 0; i < count; i++)
        pairs_put(pairs, keys[i], values[i], pairs->last + 1); /* versions are looked up by check_dict */
    buf_free(&args);
}

static void drop_one(struct pairs *pairs, int key, int at)
{
    char args[60], answer[60];
    bool there = at < pairs->count;
    snprintf(args, sizeof args, "{'key':%s}", spelled(key));
    switch (below(3)) {
    case 0:
        is("dicts/d", "delete", args, there ? OBJECT_OK : OBJECT_NO_ENTRY, NULL);
        break;
    case 1:
        is("dicts/d", "pop", args, there ? OBJECT_OK : OBJECT_NO_ENTRY, NULL);
        break;
    default:
        there = pairs->count > 0;
        at = pairs->count - 1;
        if (there)
            snprintf(answer, sizeof answer, "{'key':'k%c','value':%d}", 'a' + pairs->items[at].key,
                     pairs->items[at].value);
        is("dicts/d", "popitem", "", there ? OBJECT_OK : OBJECT_NO_ENTRY, there ? answer : NULL);
    }
    if (there)
        pairs_drop(pairs, at);
}

static void dict_step(struct pairs *pairs)
{
    unsigned what = below(40);
    int key = (int)below(12), at = pairs_find(pairs, key);
    if (what == 0) {
        is("dicts/d", "clear", "", OBJECT_OK, "");
        pairs->count = 0;
    } else if (what == 1) {
        kit_restart(&kit);
    } else if (what < 22) {
        set_one(pairs, key, at);
    } else if (what < 27) {
        update_some(pairs);
    } else {
        drop_one(pairs, key, at);
    }
}

/* All of it, in pages of a random size, and each entry with its version. */
static void check_dict(struct pairs *pairs)
{
    struct buf answer = BUF_EMPTY;
    char args[80];
    buf_append_text(&answer, "{'items':[");
    for (int i = 0; i < pairs->count; i++)
        buf_printf(&answer, "%s['k%c',%d]", i ? "," : "", 'a' + pairs->items[i].key, pairs->items[i].value);
    buf_append_text(&answer, "]}");
    is("dicts/d", "items", "", OBJECT_OK, buf_cstr(&answer));
    int size = 1 + (int)below(5), from = pairs->count ? (int)below((unsigned)pairs->count) : 0;
    buf_clear(&answer, SIZE_MAX);
    buf_append_text(&answer, "{'keys':[");
    int to = from + 1 + size < pairs->count ? from + 1 + size : pairs->count;
    for (int i = from + 1; i < to; i++)
        buf_printf(&answer, "%s'k%c'", i > from + 1 ? "," : "", 'a' + pairs->items[i].key);
    buf_append_text(&answer, "]");
    if (to < pairs->count)
        buf_printf(&answer, ",'next':'k%c'", 'a' + pairs->items[to - 1].key);
    buf_append_char(&answer, '}');
    if (pairs->count) {
        snprintf(args, sizeof args, "{'after':%s,'limit':%d}", spelled(pairs->items[from].key), size);
        is("dicts/d", "keys", args, OBJECT_OK, buf_cstr(&answer));
    }
    buf_free(&answer);
}

static void check_versions(struct pairs *pairs)
{
    for (int i = 0; i < pairs->count; i++) {
        char args[40];
        snprintf(args, sizeof args, "{'key':%s}", spelled(pairs->items[i].key));
        struct kit_call *call = kit_begin(&kit, 1, "dicts/d", "get", 0, args);
        assert_int_equal(call->call.status, OBJECT_OK);
        assert_true(call->call.version >= pairs->items[i].version);
        pairs_put(pairs, pairs->items[i].key, pairs->items[i].value, call->call.version);
        kit_end(&call);
    }
}

static void test_dicts(void **state)
{
    (void)state;
    for (life = 1; life <= 1200; life++) {
        struct pairs pairs = {.count = 0};
        seed = life;
        kit_start(&kit);
        kit.check_restore = false;
        for (int step = 0; step < 60; step++) {
            dict_step(&pairs);
            check_dict(&pairs);
            check_versions(&pairs);
        }
        kit_restart(&kit);
        check_dict(&pairs);
        check_versions(&pairs);
        kit_stop(&kit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lists), cmocka_unit_test(test_dicts)};
    return cmocka_run_group_tests_name("objects_data_random", tests, NULL, NULL);
}

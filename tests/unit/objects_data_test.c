/* Dicts, lists, values and arrays: each operation with its answers, its errors and what is left after a restart. */
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

static struct kit kit;

static int start(void **state)
{
    (void)state;
    kit_start(&kit);
    kit.check_restore = false; /* versions go on behind a gap: restarts are looked at here */
    return 0;
}

static int stop(void **state)
{
    (void)state;
    kit_stop(&kit);
    return 0;
}

/* Of dicts/d, lists/l, values/v, arrays/a. */
static void expect(const char *object, const char *op, const char *args, enum object_status status, const char *answer)
{
    kit_expect(&kit, 1, object, op, args, status, answer);
}

static void is(const char *object, const char *op, const char *args, const char *answer)
{
    expect(object, op, args, OBJECT_OK, answer);
}

static void problem(const char *object, const char *op, const char *args, enum object_status status, const char *text)
{
    struct kit_call *call = kit_begin(&kit, 1, object, op, 0, args);
    if (call->call.status != status || strstr(call->call.problem, text) == NULL)
        fail_msg("%s %s: %s \"%s\", not %s \"%s\"", object, op, object_status_name(call->call.status),
                 call->call.problem, object_status_name(status), text);
    kit_end(&call);
}

static uint64_t version_after(const char *object, const char *op, const char *args)
{
    struct kit_call *call = kit_begin(&kit, 1, object, op, 0, args);
    uint64_t version = call->call.version;
    assert_int_equal(call->call.status, OBJECT_OK);
    kit_end(&call);
    return version;
}

/* ---- dicts ---- */

static void test_dict_keys(void **state)
{
    (void)state;
    is("dicts/d", "set", "{'key':'a','value':{ 'x' : 1.10 }}", "{'version':2}");
    is("dicts/d", "get", "{'key':'a'}", "{'value':{ 'x' : 1.10 },'version':2}"); /* byte for byte */
    is("dicts/d", "set", "{'key':'é\\n','value':null}", "{'version':3}");
    is("dicts/d", "get", "{'key':'\\u00e9\\u000a'}", "{'value':null,'version':3}");
    is("dicts/d", "contains", "{'key':'a'}", "{'contains':true}");
    is("dicts/d", "contains", "{'key':'b'}", "{'contains':false}");
    is("dicts/d", "get", "{'key':'b','default':[1]}", "{'value':[1]}");
    is("dicts/d", "get", "{'key':'b','default':null}", "{'value':null}");
    problem("dicts/d", "get", "{'key':'b'}", OBJECT_NO_ENTRY, "there is no key b");
    problem("dicts/d", "delete", "{'key':'b'}", OBJECT_NO_ENTRY, "there is no key b");
    is("dicts/d", "len", "", "{'length':2}");
    is("dicts/d", "delete", "{'key':'a'}", "");
    is("dicts/d", "keys", "", "{'keys':['é\\n']}");
    is("dicts/d", "clear", "", "");
    is("dicts/d", "len", "", "{'length':0}");
    is("dicts/d", "items", "", "{'items':[]}");
}

static void test_dict_bad_keys(void **state)
{
    (void)state;
    char long_key[600];
    snprintf(long_key, sizeof long_key, "{'key':'%0513d','value':1}", 0);
    problem("dicts/d", "set", "{'key':'','value':1}", OBJECT_INVALID, "empty");
    problem("dicts/d", "set", "{'key':'a\\u0000b','value':1}", OBJECT_INVALID, "U+0000");
    problem("dicts/d", "set", "{'key':7,'value':1}", OBJECT_INVALID, "key");
    problem("dicts/d", "set", long_key, OBJECT_LIMIT, "513");
    problem("dicts/d", "update", "{'entries':{'a':1,'':2}}", OBJECT_INVALID, "empty");
    problem("dicts/d", "update", "{'entries':{'a':1,'\\u0000':2}}", OBJECT_INVALID, "U+0000");
    snprintf(long_key, sizeof long_key, "{'entries':{'%0513d':1}}", 0);
    problem("dicts/d", "update", long_key, OBJECT_LIMIT, "513");
    is("dicts/d", "len", "", "{'length':0}"); /* all or nothing */
}

static void test_dict_pop(void **state)
{
    (void)state;
    is("dicts/d", "update", "{'entries':{'a':1,'b':2,'c':3,'a':9}}", "");
    is("dicts/d", "items", "", "{'items':[['a',9],['b',2],['c',3]]}");
    is("dicts/d", "set", "{'key':'a','value':7}", NULL); /* keeps its place */
    is("dicts/d", "popitem", "", "{'key':'c','value':3}");
    is("dicts/d", "pop", "{'key':'a'}", NULL);
    is("dicts/d", "pop", "{'key':'a','default':'x'}", "{'value':'x'}");
    problem("dicts/d", "pop", "{'key':'a'}", OBJECT_NO_ENTRY, "there is no key a");
    is("dicts/d", "set", "{'key':'a','value':5}", NULL); /* and comes last now */
    is("dicts/d", "popitem", "", "{'key':'a','value':5}");
    is("dicts/d", "popitem", "", "{'key':'b','value':2}");
    problem("dicts/d", "popitem", "", OBJECT_NO_ENTRY, "empty");
}

static void test_dict_setdefault(void **state)
{
    (void)state;
    is("dicts/d", "setdefault", "{'key':'a','value':[]}", "{'value':[],'version':2}");
    is("dicts/d", "setdefault", "{'key':'a','value':1}", "{'value':[],'version':2}");
    is("dicts/d", "setdefault", "{'key':'b'}", "{'value':null,'version':3}");
}

static void test_dict_add(void **state)
{
    (void)state;
    is("dicts/d", "add", "{'key':'n'}", "{'value':1,'version':2}");
    is("dicts/d", "add", "{'key':'n','by':18446744073709551616}", "{'value':18446744073709551617,'version':3}");
    is("dicts/d", "add", "{'key':'n','by':-18446744073709551617}", "{'value':0,'version':4}");
    is("dicts/d", "add", "{'key':'n','by':0.5}", "{'value':0.5,'version':5}");
    is("dicts/d", "set", "{'key':'t','value':'1'}", NULL);
    problem("dicts/d", "add", "{'key':'t'}", OBJECT_INVALID, "no number");
    problem("dicts/d", "add", "{'key':'n','by':'1'}", OBJECT_INVALID, "by");
    problem("dicts/d", "add", "{'key':'n','by':1e400}", OBJECT_OVERFLOW, "double");
}

static void test_dict_versions(void **state)
{
    (void)state;
    problem("dicts/d", "set", "{'key':'a','value':1,'version':1}", OBJECT_CHANGED, "version 0, not 1");
    is("dicts/d", "set", "{'key':'a','value':1,'version':0}", "{'version':2}");
    problem("dicts/d", "set", "{'key':'a','value':2,'version':0}", OBJECT_CHANGED, "version 2, not 0");
    is("dicts/d", "set", "{'key':'a','value':2,'version':2}", "{'version':3}");
    problem("dicts/d", "delete", "{'key':'a','version':2}", OBJECT_CHANGED, "version 3, not 2");
    is("dicts/d", "delete", "{'key':'a','version':3}", "");
    is("dicts/d", "set", "{'key':'a','value':1,'version':0}", "{'version':5}"); /* not one it had before */
    assert_int_equal(version_after("dicts/d", "get", "{'key':'a'}"), 5);
    assert_int_equal(version_after("dicts/d", "len", ""), 5);
    problem("dicts/d", "add", "{'key':'a','version':4}", OBJECT_CHANGED, "version 5, not 4");
    is("dicts/d", "add", "{'key':'a','version':5}", "{'value':2,'version':6}");
    is("dicts/d", "add", "{'key':'b','version':0}", "{'value':1,'version':7}");
    problem("dicts/d", "pop", "{'key':'a','version':5}", OBJECT_CHANGED, "version 6, not 5");
    is("dicts/d", "pop", "{'key':'a','version':6}", "{'value':2,'version':6}");
    problem("dicts/d", "update", "{'entries':{},'version':7}", OBJECT_CHANGED, "version 8, not 7"); /* the dict's */
    is("dicts/d", "update", "{'entries':{'c':1},'version':8}", "");
    problem("dicts/d", "clear", "{'version':8}", OBJECT_CHANGED, "version 9, not 8");
    is("dicts/d", "clear", "{'version':9}", "");
}

static void test_dict_versions_survive(void **state)
{
    (void)state;
    is("dicts/d", "set", "{'key':'a','value':1}", "{'version':2}");
    is("dicts/d", "set", "{'key':'b','value':1}", "{'version':3}");
    is("dicts/d", "delete", "{'key':'b'}", "");
    kit_restart(&kit);
    is("dicts/d", "get", "{'key':'a'}", "{'value':1,'version':2}");
    assert_true(version_after("dicts/d", "set", "{'key':'b','value':1}") > 4);
    kit_restart(&kit);
    for (int i = 0; i < 3000; i++)
        is("dicts/d", "add", "{'key':'a'}", NULL);
    uint64_t version = version_after("dicts/d", "len", "");
    kit_restart(&kit);
    assert_true(version_after("dicts/d", "len", "") >= version);
    assert_true(version_after("dicts/d", "add", "{'key':'a'}") > version);
}

static void test_dict_pages(void **state)
{
    (void)state;
    is("dicts/d", "update", "{'entries':{'a':1,'b':[2],'c':3,'d':null}}", "");
    is("dicts/d", "keys", "{'limit':2}", "{'keys':['a','b'],'next':'b'}");
    is("dicts/d", "keys", "{'limit':2,'after':'b'}", "{'keys':['c','d']}");
    is("dicts/d", "values", "{'limit':3}", "{'values':[1,[2],3],'next':'c'}");
    is("dicts/d", "items", "{'after':'c'}", "{'items':[['d',null]]}");
    is("dicts/d", "items", "{'after':'d'}", "{'items':[]}");
    problem("dicts/d", "keys", "{'after':'x'}", OBJECT_NO_ENTRY, "there is no key x");
    problem("dicts/d", "keys", "{'limit':0}", OBJECT_INVALID, "limit");
}

/* `{'key':'k','value':"aaa…"}` with a value of so many megabytes. */
static char *large(const char *before, int megabytes)
{
    size_t head = strlen(before), length = (size_t)megabytes << 20;
    char *args = malloc(head + length + 4);
    memcpy(args, before, head);
    args[head] = '"';
    memset(args + head + 1, 'a', length - 2);
    memcpy(args + head + length - 1, "\"}", 3);
    return args;
}

static void test_dict_large(void **state)
{
    (void)state;
    static const char *const keys[] = {"{'key':'a','value':", "{'key':'b','value':", "{'key':'c','value':"};
    for (int i = 0; i < 3; i++) {
        char *args = large(keys[i], 3);
        is("dicts/d", "set", args, NULL);
        free(args);
    }
    problem("dicts/d", "values", "", OBJECT_LIMIT, "limit");
    char *text = kit_text(&kit, 1, "dicts/d", "values", "{'limit':10}");
    assert_non_null(strstr(text, "],\"next\":\"b\"}"));
    free(text);
    char *args = large("{'key':'a','value':", 9);
    problem("dicts/d", "set", args, OBJECT_LIMIT, "over the limit");
    free(args);
}

static void test_dict_no_room(void **state)
{
    (void)state;
    char *args = large("{'key':'a','value':", 8);
    enum object_status status = OBJECT_OK;
    for (int i = 0; status == OBJECT_OK && i < 40; i++) {
        args[8] = (char)('0' + i);
        struct kit_call *call = kit_begin(&kit, 1, "dicts/d", "set", 0, args);
        status = call->call.status;
        kit_end(&call);
    }
    assert_int_equal(status, OBJECT_NO_ROOM);
    free(args);
    is("dicts/d", "set", "{'key':'0','value':1}", NULL); /* smaller than it was: this may be done */
    is("dicts/d", "clear", "", "");
    is("dicts/d", "set", "{'key':'0','value':1}", NULL);
    struct object_counters counters;
    objects_counters(kit.objects, &counters);
    assert_true(counters.bytes < 4096);
}

static void test_dict_restart(void **state)
{
    (void)state;
    is("dicts/d", "update", "{'entries':{'z':1,'a':2,'m':3}}", "");
    is("dicts/d", "delete", "{'key':'z'}", "");
    is("dicts/d", "set", "{'key':'z','value':4}", NULL);
    is("dicts/d", "set", "{'key':'a','value':'\\u0000'}", NULL);
    kit_restart(&kit);
    is("dicts/d", "items", "", "{'items':[['a','\\u0000'],['m',3],['z',4]]}");
    is("dicts/d", "set", "{'key':'b','value':5}", NULL);
    kit_restart(&kit);
    is("dicts/d", "keys", "", "{'keys':['a','m','z','b']}");
    is("dicts/d", "clear", "", "");
    kit_restart(&kit);
    is("dicts/d", "keys", "", "{'keys':[]}");
}

static void test_from_outside(void **state)
{
    (void)state;
    kit_expect(&kit, 0, "dicts/d", "set", "{'key':'a','value':1}", OBJECT_MISSING, NULL);
    kit_expect(&kit, 0, "dicts/d", "create", "", OBJECT_CREATED, NULL);
    kit_expect(&kit, 0, "dicts/d", "create", "{}", OBJECT_OK, NULL);
    kit_expect(&kit, 0, "dicts/d", "set", "{'key':'a','value':1}", OBJECT_OK, NULL);
    kit_expect(&kit, 0, "dicts/d", "delete", "{ }", OBJECT_OK, ""); /* the dict, not a key */
    kit_expect(&kit, 0, "dicts/d", "len", "", OBJECT_MISSING, NULL);
    problem("values/v", "get", "", OBJECT_MISSING, "value"); /* tasks do not make these by themselves */
}

/* ---- lists ---- */

static void test_list_elements(void **state)
{
    (void)state;
    is("lists/l", "append", "{'value':1.0}", "");
    is("lists/l", "extend", "{'values':['b', [ 3 ],null]}", "");
    is("lists/l", "slice", "", "{'values':[1.0,'b',[ 3 ],null]}");
    is("lists/l", "get", "{'index':-1}", "{'value':null}");
    is("lists/l", "set", "{'index':-4,'value':7}", "");
    is("lists/l", "insert", "{'index':1,'value':8}", "");
    is("lists/l", "insert", "{'index':-100,'value':'first'}", "");
    is("lists/l", "insert", "{'index':100,'value':'last'}", "");
    is("lists/l", "insert", "{'index':-1,'value':'but one'}", "");
    is("lists/l", "slice", "", "{'values':['first',7,8,'b',[ 3 ],null,'but one','last']}");
    is("lists/l", "pop", "", "{'value':'last'}");
    is("lists/l", "pop", "{'index':0}", "{'value':'first'}");
    is("lists/l", "delete_at", "{'index':-2}", "");
    is("lists/l", "slice", "", "{'values':[7,8,'b',[ 3 ],'but one']}");
    is("lists/l", "len", "", "{'length':5}");
    is("lists/l", "clear", "", "");
    is("lists/l", "len", "", "{'length':0}");
}

static void test_list_errors(void **state)
{
    (void)state;
    problem("lists/l", "pop", "", OBJECT_NO_ENTRY, "index -1 is out of range: list l has 0 elements");
    is("lists/l", "extend", "{'values':[1,2]}", "");
    problem("lists/l", "get", "{'index':2}", OBJECT_NO_ENTRY, "index 2");
    problem("lists/l", "get", "{'index':-3}", OBJECT_NO_ENTRY, "index -3");
    problem("lists/l", "set", "{'index':2,'value':0}", OBJECT_NO_ENTRY, "index 2");
    problem("lists/l", "delete_at", "{'index':9223372036854775807}", OBJECT_NO_ENTRY, "9223372036854775807");
    problem("lists/l", "pop", "{'index':-9223372036854775808}", OBJECT_NO_ENTRY, "-9223372036854775808");
    problem("lists/l", "get", "{'index':1.0}", OBJECT_INVALID, "index");
    problem("lists/l", "get", "", OBJECT_INVALID, "index");
    problem("lists/l", "remove", "{'value':3}", OBJECT_NO_ENTRY, "does not have");
    problem("lists/l", "index", "{'value':'1'}", OBJECT_NO_ENTRY, "does not have");
    problem("lists/l", "extend", "{'values':{}}", OBJECT_INVALID, "array");
    problem("lists/l", "append", "{'value':1,'values':[]}", OBJECT_INVALID, "values");
    is("lists/l", "slice", "", "{'values':[1,2]}");
}

static void test_list_search(void **state)
{
    (void)state;
    is("lists/l", "extend", "{'values':['1',1.0,true,[1,{'a':1}],1,null]}", "");
    is("lists/l", "index", "{'value':1}", "{'index':1}");
    is("lists/l", "count", "{'value':1}", "{'count':3}");
    is("lists/l", "index", "{'value':[true,{'a':1.0}]}", "{'index':3}");
    is("lists/l", "contains", "{'value':null}", "{'contains':true}");
    is("lists/l", "contains", "{'value':'\\u0031'}", "{'contains':true}");
    is("lists/l", "contains", "{'value':[]}", "{'contains':false}");
    is("lists/l", "remove", "{'value':1}", "");
    is("lists/l", "slice", "", "{'values':['1',true,[1,{'a':1}],1,null]}");
}

#define NONE 99
/* [1,2,3,4,5][start:stop], written by Python. */
static const struct {
    int start, stop;
    const char *values;
} slices[] = {
    // clang-format off
    {NONE, NONE, "1,2,3,4,5"}, {NONE, -7, ""}, {NONE, -5, ""}, {NONE, -1, "1,2,3,4"},
    {NONE, 0, ""}, {NONE, 3, "1,2,3"}, {NONE, 5, "1,2,3,4,5"}, {NONE, 9, "1,2,3,4,5"},
    {-7, NONE, "1,2,3,4,5"}, {-7, -7, ""}, {-7, -5, ""}, {-7, -1, "1,2,3,4"},
    {-7, 0, ""}, {-7, 3, "1,2,3"}, {-7, 5, "1,2,3,4,5"}, {-7, 9, "1,2,3,4,5"},
    {-5, NONE, "1,2,3,4,5"}, {-5, -7, ""}, {-5, -5, ""}, {-5, -1, "1,2,3,4"},
    {-5, 0, ""}, {-5, 3, "1,2,3"}, {-5, 5, "1,2,3,4,5"}, {-5, 9, "1,2,3,4,5"},
    {-2, NONE, "4,5"}, {-2, -7, ""}, {-2, -5, ""}, {-2, -1, "4"},
    {-2, 0, ""}, {-2, 3, ""}, {-2, 5, "4,5"}, {-2, 9, "4,5"},
    {0, NONE, "1,2,3,4,5"}, {0, -7, ""}, {0, -5, ""}, {0, -1, "1,2,3,4"},
    {0, 0, ""}, {0, 3, "1,2,3"}, {0, 5, "1,2,3,4,5"}, {0, 9, "1,2,3,4,5"},
    {2, NONE, "3,4,5"}, {2, -7, ""}, {2, -5, ""}, {2, -1, "3,4"},
    {2, 0, ""}, {2, 3, "3"}, {2, 5, "3,4,5"}, {2, 9, "3,4,5"},
    {5, NONE, ""}, {5, -7, ""}, {5, -5, ""}, {5, -1, ""},
    {5, 0, ""}, {5, 3, ""}, {5, 5, ""}, {5, 9, ""},
    {9, NONE, ""}, {9, -7, ""}, {9, -5, ""}, {9, -1, ""},
    {9, 0, ""}, {9, 3, ""}, {9, 5, ""}, {9, 9, ""},
    // clang-format on
};

static void test_list_slices(void **state)
{
    (void)state;
    is("lists/l", "extend", "{'values':[1,2,3,4,5]}", "");
    for (size_t i = 0; i < sizeof slices / sizeof *slices; i++) {
        char start_text[16] = "null", stop_text[16] = "null", args[80], answer[40];
        if (slices[i].start != NONE)
            snprintf(start_text, sizeof start_text, "%d", slices[i].start);
        if (slices[i].stop != NONE)
            snprintf(stop_text, sizeof stop_text, "%d", slices[i].stop);
        snprintf(args, sizeof args, "{'start':%s,'stop':%s}", start_text, stop_text);
        snprintf(answer, sizeof answer, "{'values':[%s]}", slices[i].values);
        is("lists/l", "slice", args, answer);
    }
}

static void set_slice(const char *args, const char *after)
{
    is("lists/l", "clear", "", "");
    is("lists/l", "extend", "{'values':[1,2,3,4,5]}", "");
    is("lists/l", "set_slice", args, "");
    is("lists/l", "slice", "", after);
    kit_restart(&kit);
    is("lists/l", "slice", "", after);
}

static void test_list_set_slice(void **state)
{
    (void)state;
    set_slice("{'start':1,'stop':3,'values':[8,9]}", "{'values':[1,8,9,4,5]}");
    set_slice("{'start':1,'stop':3,'values':[]}", "{'values':[1,4,5]}");
    set_slice("{'start':1,'stop':2,'values':[7,8,9]}", "{'values':[1,7,8,9,3,4,5]}");
    set_slice("{'start':3,'stop':1,'values':[7]}", "{'values':[1,2,3,7,4,5]}");
    set_slice("{'start':-1,'values':[7]}", "{'values':[1,2,3,4,7]}");
    set_slice("{'stop':-3,'values':[7]}", "{'values':[7,3,4,5]}");
    set_slice("{'start':9,'values':[7,8]}", "{'values':[1,2,3,4,5,7,8]}");
    set_slice("{'values':[]}", "{'values':[]}");
}

static void test_list_sort(void **state)
{
    (void)state;
    is("lists/l", "extend", "{'values':[3,1.0,2,1,true,0]}", "");
    is("lists/l", "sort", "", "");
    is("lists/l", "slice", "", "{'values':[0,1.0,1,true,2,3]}"); /* stable */
    is("lists/l", "sort", "{'reverse':true}", "");
    is("lists/l", "slice", "", "{'values':[3,2,1.0,1,true,0]}"); /* also in reverse, as Python does */
    is("lists/l", "reverse", "", "");
    is("lists/l", "slice", "", "{'values':[0,true,1,1.0,2,3]}");
    kit_restart(&kit);
    is("lists/l", "slice", "", "{'values':[0,true,1,1.0,2,3]}");
    is("lists/l", "append", "{'value':'x'}", "");
    problem("lists/l", "sort", "", OBJECT_INVALID, "'<' is not defined between");
    is("lists/l", "slice", "", "{'values':[0,true,1,1.0,2,3,'x']}");
    is("lists/l", "clear", "", "");
    is("lists/l", "sort", "", "");
    is("lists/l", "append", "{'value':{}}", ""); /* alone it has not to be compared */
    is("lists/l", "sort", "", "");
    is("lists/l", "reverse", "", "");
    is("lists/l", "extend", "{'values':[{}]}", "");
    problem("lists/l", "sort", "", OBJECT_INVALID, "object and object");
    is("lists/l", "clear", "", ""); /* what doubles cannot tell apart is still in order */
    is("lists/l", "extend", "{'values':[9007199254740993,9007199254740992.0,9007199254740992]}", "");
    is("lists/l", "sort", "", "");
    is("lists/l", "slice", "", "{'values':[9007199254740992.0,9007199254740992,9007199254740993]}");
}

static void test_list_add(void **state)
{
    (void)state;
    is("lists/l", "extend", "{'values':[1,'x']}", "");
    is("lists/l", "add", "{'index':0}", "{'value':2}");
    is("lists/l", "add", "{'index':-2,'by':-0.5}", "{'value':1.5}");
    problem("lists/l", "add", "{'index':1}", OBJECT_INVALID, "no number");
    problem("lists/l", "add", "{'index':2}", OBJECT_NO_ENTRY, "index 2");
    problem("lists/l", "add", "{'index':0,'by':-1e400}", OBJECT_OVERFLOW, "double");
    is("lists/l", "slice", "", "{'values':[1.5,'x']}");
}

static void test_list_versions(void **state)
{
    (void)state;
    static const char *const changes[][2] = {
        {"append", "{'value':1,'version':%d}"},
        {"extend", "{'values':[3,2],'version':%d}"},
        {"sort", "{'version':%d}"},
        {"reverse", "{'version':%d}"},
        {"set", "{'index':0,'value':5,'version':%d}"},
        {"add", "{'index':0,'version':%d}"},
        {"insert", "{'index':0,'value':5,'version':%d}"},
        {"set_slice", "{'values':[1,2,3],'version':%d}"},
        {"pop", "{'version':%d}"},
        {"remove", "{'value':2,'version':%d}"},
        {"delete_at", "{'index':0,'version':%d}"},
        {"clear", "{'version':%d}"},
    };
    int version = (int)version_after("lists/l", "len", "");
    assert_int_equal(version, 1);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char args[80];
        snprintf(args, sizeof args, changes[i][1], version + 1);
        problem("lists/l", changes[i][0], args, OBJECT_CHANGED, "version");
        snprintf(args, sizeof args, changes[i][1], version);
        assert_int_equal(version_after("lists/l", changes[i][0], args), ++version);
        assert_int_equal(version_after("lists/l", "slice", ""), version);
    }
    kit_restart(&kit);
    assert_true(version_after("lists/l", "len", "") >= (uint64_t)version);
}

/* Few writes: one for each insertion wherever it is, now and then some more for new ranks. */
static void insert_often(const char *args, unsigned times, double most)
{
    kit.puts = kit.drops = 0;
    for (unsigned i = 0; i < times; i++)
        is("lists/l", "insert", args, "");
    double each = (double)(kit.puts + kit.drops) / times;
    if (each > most)
        fail_msg("%s: %.2f writes each, at most %.2f were expected", args, each, most);
}

static void test_list_writes(void **state)
{
    (void)state;
    is("lists/l", "extend", "{'values':[1,2,3]}", "");
    insert_often("{'index':1000000,'value':0}", 2000, 1.01);
    insert_often("{'index':0,'value':0}", 2000, 1.01);
    insert_often("{'index':2000,'value':1}", 20000, 22);
    insert_often("{'index':-2000,'value':1}", 20000, 22);
    char *before = kit_text(&kit, 1, "lists/l", "slice", "");
    kit_restart(&kit);
    char *after = kit_text(&kit, 1, "lists/l", "slice", "");
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* A queue for a long time: neither memory nor writes grow. */
static void test_list_as_queue(void **state)
{
    (void)state;
    is("lists/l", "extend", "{'values':[1,2,3]}", "");
    kit.puts = kit.drops = 0;
    for (int i = 0; i < 20000; i++) {
        is("lists/l", "append", "{'value':1}", "");
        is("lists/l", "pop", "{'index':0}", NULL);
    }
    assert_true(kit.puts + kit.drops < 40100);
    for (int i = 0; i < 20000; i++) {
        is("lists/l", "insert", "{'index':0,'value':1}", "");
        is("lists/l", "pop", "", NULL);
    }
    kit_restart(&kit);
    is("lists/l", "slice", "", "{'values':[1,1,1]}");
}

/* ---- values and arrays: see also objects_data_files_test.c ---- */

static void test_value(void **state)
{
    (void)state;
    expect("values/v", "create", "{'typecode':'b','value':7}", OBJECT_CREATED, NULL);
    expect("values/v", "create", "{'typecode':'b','value':9}", OBJECT_OK, NULL); /* it stays what it is */
    expect("values/v", "create", "{'typecode':'B'}", OBJECT_EXISTS, NULL);
    is("values/v", "get", "", "{'value':7}");
    is("values/v", "set", "{'value':-128}", "");
    is("values/v", "add", "{'by':255}", "{'value':127}");
    problem("values/v", "add", "", OBJECT_OVERFLOW, "the sum 127 + 1 does not fit typecode b (-128…127)");
    problem("values/v", "set", "{'value':300}", OBJECT_OVERFLOW, "value 300 does not fit typecode b (-128…127)");
    problem("values/v", "set", "{'value':1.5}", OBJECT_INVALID, "1.5 is not an integer");
    is("values/v", "compare_set", "{'expected':127,'value':1}", "");
    problem("values/v", "compare_set", "{'expected':127,'value':2}", OBJECT_CHANGED, "it is 1, not 127");
    problem("values/v", "compare_set", "{'expected':200,'value':2}", OBJECT_OVERFLOW, "expected: value 200");
    is("values/v", "get", "", "{'value':1}");
    problem("values/v", "open", "", OBJECT_INVALID, "no file");
    is("values/v", "delete", "", "");
    problem("values/v", "get", "", OBJECT_MISSING, "v");
    problem("values/w", "create", "{'typecode':'x'}", OBJECT_INVALID, "bBhHiIlLqQfd");
    problem("values/w", "create", "{'typecode':'b','value':300}", OBJECT_OVERFLOW, "300");
    problem("values/w", "get", "", OBJECT_MISSING, "w");
}

static void test_array(void **state)
{
    (void)state;
    expect("arrays/a", "create", "{'typecode':'i','values':[1,2,3,4,5]}", OBJECT_CREATED, NULL);
    expect("arrays/a", "create", "{'typecode':'i','length':5}", OBJECT_OK, NULL);
    expect("arrays/a", "create", "{'typecode':'i','length':6}", OBJECT_EXISTS, NULL);
    is("arrays/a", "get", "{'index':-1}", "{'value':5}");
    is("arrays/a", "set", "{'index':1,'value':-2}", "");
    is("arrays/a", "slice", "{'start':-4,'stop':3}", "{'values':[-2,3]}");
    is("arrays/a", "set_slice", "{'start':-2,'values':[8,9]}", "");
    is("arrays/a", "set_slice", "{'start':5,'values':[]}", "");
    is("arrays/a", "add", "{'index':0,'by':-2}", "{'value':-1}");
    is("arrays/a", "compare_set", "{'index':2,'expected':3,'value':0}", "");
    is("arrays/a", "slice", "", "{'values':[-1,-2,0,8,9]}");
    is("arrays/a", "len", "", "{'length':5}");
    problem("arrays/a", "get", "{'index':5}", OBJECT_NO_ENTRY, "index 5 is out of range: array a has 5");
    problem("arrays/a", "set", "{'index':0,'value':2147483648}", OBJECT_OVERFLOW, "2147483648");
    problem("arrays/a", "set_slice", "{'start':4,'values':[1,2]}", OBJECT_NO_ENTRY, "2 elements from index 4");
    problem("arrays/a", "set_slice", "{'start':-6,'values':[]}", OBJECT_NO_ENTRY, "index -6");
    problem("arrays/a", "set_slice", "{'values':[1,2,1e3]}", OBJECT_INVALID, "values[2]: 1e3 is not an integer");
    problem("arrays/a", "compare_set", "{'index':2,'expected':3,'value':0}", OBJECT_CHANGED, "it is 0, not 3");
    is("arrays/a", "slice", "", "{'values':[-1,-2,0,8,9]}");
}

static void test_array_configuration(void **state)
{
    (void)state;
    problem("arrays/b", "create", "{'typecode':'i'}", OBJECT_INVALID, "length");
    problem("arrays/b", "create", "{'length':1}", OBJECT_INVALID, "typecode");
    problem("arrays/b", "create", "{'typecode':'i','length':-1}", OBJECT_INVALID, "at least 0");
    problem("arrays/b", "create", "{'typecode':'i','length':2,'values':[1]}", OBJECT_INVALID, "number of");
    problem("arrays/b", "create", "{'typecode':'d','length':134217729}", OBJECT_LIMIT, "134217728 elements");
    problem("arrays/b", "create", "{'typecode':'B','values':[1,-1]}", OBJECT_OVERFLOW, "values[1]: value -1");
    problem("arrays/b", "len", "", OBJECT_MISSING, "b");
    expect("arrays/b", "create", "{'typecode':'d','length':0}", OBJECT_CREATED, NULL);
    is("arrays/b", "slice", "", "{'values':[]}");
    problem("arrays/b", "get", "{'index':0}", OBJECT_NO_ENTRY, "0 elements");
    expect("arrays/c", "create", "{'typecode':'d','values':[0.1,'NaN',-1]}", OBJECT_CREATED, NULL);
    is("arrays/c", "slice", "", "{'values':[0.1,'NaN',-1.0]}");
}

static void test_array_versions(void **state)
{
    (void)state;
    expect("arrays/a", "create", "{'typecode':'i','length':2}", OBJECT_CREATED, NULL);
    assert_int_equal(version_after("arrays/a", "get", "{'index':0}"), 1);
    assert_int_equal(version_after("arrays/a", "set", "{'index':0,'value':1,'version':1}"), 2);
    problem("arrays/a", "set", "{'index':0,'value':1,'version':1}", OBJECT_CHANGED, "version 2, not 1");
    problem("arrays/a", "set_slice", "{'values':[1],'version':1}", OBJECT_CHANGED, "version 2, not 1");
    problem("arrays/a", "add", "{'index':0,'version':1}", OBJECT_CHANGED, "version 2, not 1");
    problem("arrays/a", "compare_set", "{'index':0,'expected':1,'value':1,'version':1}", OBJECT_CHANGED, "version 2");
    assert_int_equal(version_after("arrays/a", "add", "{'index':0,'version':2}"), 3);
    kit_restart(&kit);
    assert_true(version_after("arrays/a", "len", "") >= 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_dict_keys),
        TEST(test_dict_bad_keys),
        TEST(test_dict_pop),
        TEST(test_dict_setdefault),
        TEST(test_dict_add),
        TEST(test_dict_versions),
        TEST(test_dict_versions_survive),
        TEST(test_dict_pages),
        TEST(test_dict_large),
        TEST(test_dict_no_room),
        TEST(test_dict_restart),
        TEST(test_from_outside),
        TEST(test_list_elements),
        TEST(test_list_errors),
        TEST(test_list_search),
        TEST(test_list_slices),
        TEST(test_list_set_slice),
        TEST(test_list_sort),
        TEST(test_list_add),
        TEST(test_list_versions),
        TEST(test_list_writes),
        TEST(test_list_as_queue),
        TEST(test_value),
        TEST(test_array),
        TEST(test_array_configuration),
        TEST(test_array_versions),
    };
    return cmocka_run_group_tests_name("objects_data", tests, NULL, NULL);
}

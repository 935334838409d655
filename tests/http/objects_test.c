/* Shared objects over HTTP: every route, what it answers and how it refuses; and how tasks that wait are shown. Waiting
 * itself is in objects_waits_test.c. */
#include "fixture.h"

#include <unistd.h>

static const char lines_type[] = "Content-Type: application/x-ndjson";
static const char bytes_type[] = "Content-Type: application/octet-stream";
static const char bytes_accept[] = "Accept: application/octet-stream";

/* One request; the answer must have this status and hold this text (NULL: be empty). */
static void say(const char *method, const char *path, const char *body, const char *header, long status,
                const char *text)
{
    struct reply r;
    http_ask(&web, &(struct ask){.method = method, .path = path, .body = body, .headers = {header}}, &r);
    if (r.status != status || (text ? strstr(r.body, text) == NULL : r.length > 0))
        fail_msg("%s %s %s: %ld, expected %ld with %s:\n%s", method, path, body ? body : "", r.status, status,
                 text ? text : "nothing", r.body);
    reply_free(&r);
}

static void get(const char *path, const char *text)
{
    say("GET", path, NULL, NULL, 200, text);
}

static void put(const char *path, const char *body, long status, const char *text)
{
    say("PUT", path, body, NULL, status, text);
}

static void post(const char *path, const char *body, long status, const char *text)
{
    say("POST", path, body ? body : "", NULL, status, text);
}

static void delete (const char *path)
{
    say("DELETE", path, NULL, NULL, 204, NULL);
}

static void expect_header(const char *method, const char *path, const char *body, const char *name, const char *value)
{
    struct reply r;
    char is[256] = "";
    http_ask(&web, &(struct ask){.method = method, .path = path, .body = body}, &r);
    reply_header(&r, name, is, sizeof is);
    if (strcmp(is, value) != 0)
        fail_msg("%s %s: %s is \"%s\", expected \"%s\"", method, path, name, is, value);
    reply_free(&r);
}

/* ---- all kinds ---- */

static void test_life(void **state)
{
    (void)state;
    static const char *const kinds[][3] = {
        {"queues", "{\"maxsize\":3}", "{\"maxsize\":4}"},
        {"pipes", "{\"duplex\":false}", ""},
        {"locks", "{ \"value\" : 2,\n\"type\":\"semaphore\"}", "{\"type\":\"rlock\"}"},
        {"dicts", "", NULL},
        {"lists", "{}", NULL},
        {"values", "{\"typecode\":\"i\",\"value\":1}", "{\"typecode\":\"h\",\"value\":1}"},
        {"arrays", "{\"typecode\":\"d\",\"length\":3}", "{\"typecode\":\"d\",\"length\":4}"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char path[64], list[64], location[64];
        snprintf(list, sizeof list, "/v1/%s", kinds[i][0]);
        snprintf(path, sizeof path, "/v1/%s/life.1", kinds[i][0]);
        snprintf(location, sizeof location, "/v1/%s/life.2", kinds[i][0]);
        refuse("GET", path, NULL, 404, "object-missing");
        put(path, kinds[i][1], 201, "\"name\":\"life.1\"");
        put(path, kinds[i][1], 200, "\"name\":\"life.1\"");
        if (kinds[i][2])
            refuse("PUT", path, kinds[i][2], 409, "object-exists");
        expect_header("PUT", location, kinds[i][1], "Location", location);
        get(path, "\"name\":\"life.1\"");
        say("GET", list, NULL, NULL, 200, "\"name\":\"life.2\"");
        strcat(list, "?prefix=life&limit=1");
        get(list, "\"next\":\"life.1\"");
        strcat(list, "&after=life.1");
        get(list, "\"next\":null");
        delete (path);
        refuse("DELETE", path, NULL, 404, "object-missing");
        delete (location);
        get(list, "[]");
    }
}

static void test_names(void **state)
{
    (void)state;
    char path[400] = "/v1/queues/";
    memset(path + 11, 'a', 128);
    strcpy(path + 139, "");
    put(path, "", 201, "aaa");
    delete (path);
    strcpy(path + 139, "a");
    refuse("PUT", path, "", 422, "object-invalid");
    memset(path + 11, 'a', 200);
    strcpy(path + 211, "");
    refuse("PUT", path, "", 422, "object-invalid");
    refuse("GET", "/v1/dicts/.x", NULL, 422, "object-invalid");
    refuse("PUT", "/v1/queues/a%20b", "", 422, "object-invalid");
    refuse("PUT", "/v1/queues/a%2Fb", "", 422, "object-invalid");
    refuse("PUT", "/v1/queue/a", "", 404, "not-found");
}

static void test_refusals(void **state)
{
    (void)state;
    put("/v1/queues/r", "", 201, "");
    put("/v1/dicts/r", "", 201, "");
    refuse("GET", "/v1/queues?colour=red", NULL, 400, "unknown-parameter");
    refuse("GET", "/v1/queues?limit=1001", NULL, 400, "invalid-parameter");
    refuse("POST", "/v1/queues/r/get?wait=x", "", 400, "invalid-parameter");
    refuse("POST", "/v1/queues/r/get?n=0", "", 400, "invalid-parameter");
    refuse("POST", "/v1/queues/r/clear?wait=1", "", 400, "unknown-parameter");
    refuse("POST", "/v1/queues/r/put", "{\"value\":1", 400, "invalid-json");
    refuse("POST", "/v1/queues/r/put", "[1]", 400, "invalid-json");
    refuse("POST", "/v1/queues/r/put", "{\"value\":1}x", 400, "invalid-json");
    refuse("POST", "/v1/queues/r/put", "{\"value\":1,\"values\":[]}", 422, "object-invalid");
    refuse("POST", "/v1/queues/r/put", "{\"value\":1,\"colour\":2}", 422, "object-invalid");
    refuse("POST", "/v1/queues/r/put", "", 422, "object-invalid");
    refuse("POST", "/v1/queues/r/get", "{}", 400, "invalid-value"); /* no body is taken */
    refuse("POST", "/v1/queues/r", "{}", 405, "method-not-allowed");
    expect_header("POST", "/v1/queues/r", "{}", "Allow", "GET, HEAD, DELETE, PUT, OPTIONS");
    expect_header("GET", "/v1/queues/r/put", NULL, "Allow", "POST, OPTIONS");
    refuse_with("POST", "/v1/queues/r/put", "1", "Content-Type: text/plain", 415, "unsupported-media-type");
    refuse_with("POST", "/v1/queues/r/ack", "1", lines_type, 415, "unsupported-media-type");
    refuse_with("PUT", "/v1/dicts/r/k", "1", bytes_type, 415, "unsupported-media-type");
    refuse_with("POST", "/v1/queues/r/put", "{\"value\":1}", "Idempotency-Key: k", 400, "invalid-header");
    refuse_with("POST", "/v1/queues/r/put", "1", "If-Match: \"1\"", 400, "invalid-header");
    refuse_with("PUT", "/v1/queues/r", "{}", "If-None-Match: *", 400, "invalid-header");
    refuse("PUT", "/v1/dicts/r/k", "", 400, "invalid-json");
    refuse("PUT", "/v1/dicts/r/k", "1 2", 400, "invalid-json");
    refuse("POST", "/v1/dicts/r", "", 400, "invalid-json");
    refuse("POST", "/v1/dicts/r", "{}", 400, "missing-field");
    refuse("POST", "/v1/dicts/r", "{\"len\":{},\"clear\":{}}", 400, "invalid-value");
    refuse("POST", "/v1/dicts/r", "{\"len\":[]}", 400, "invalid-value");
    refuse("POST", "/v1/dicts/r", "{\"inspect\":{}}", 400, "unknown-field");
    refuse("GET", "/v1/dicts/r/%ff", NULL, 404, "not-found");
    refuse("POST", "/v1/pipes/r/c/recv", "", 404, "not-found");
    refuse("GET", "/v1/lists/r/x", NULL, 404, "not-found");
    get("/v1/queues/r/size", "\"size\":0");
    delete ("/v1/queues/r");
    delete ("/v1/dicts/r");
}

/* ---- queues ---- */

static void test_queue(void **state)
{
    (void)state;
    put("/v1/queues/q", "{\"maxsize\":4}", 201, "\"maxsize\":4");
    post("/v1/queues/q/put", "{\"value\":{\"b\": 1e400,\n\"a\":\"\\u00e9\"}}", 200, "{\"size\":1}");
    post("/v1/queues/q/put", " {\"values\" : [2, [3] ]} ", 200, "{\"size\":3}");
    refuse("POST", "/v1/queues/q/put", "{\"values\":[4,5]}", 409, "queue-full");
    refuse("POST", "/v1/queues/q/put", "{\"values\":[4,5,6,7,8]}", 413, "object-limit");
    post("/v1/queues/q/get", NULL, 200, "{\"value\":{\"b\": 1e400, \"a\":\"\\u00e9\"},\"values\":[{\"b\"");
    post("/v1/queues/q/get?n=9", NULL, 200, "{\"values\":[2,[3]]}\n");
    refuse("POST", "/v1/queues/q/get", "", 409, "queue-empty");
    refuse("POST", "/v1/queues/none/get", "", 404, "object-missing");
    get("/v1/queues/q/size", "{\"size\":0,\"leased\":0,\"unfinished\":3,\"maxsize\":4}");
    refuse("GET", "/v1/queues/q/join", NULL, 409, "busy");
    post("/v1/queues/q/task_done", NULL, 204, NULL);
    post("/v1/queues/q/task_done", "{\"count\":2}", 204, NULL);
    refuse("POST", "/v1/queues/q/task_done", "", 409, "not-holder");
    say("GET", "/v1/queues/q/join", NULL, NULL, 204, NULL);
    post("/v1/queues/q/put", "{\"values\":[1,2]}", 200, "2");
    post("/v1/queues/q/clear", NULL, 200, "{\"removed\":2}");
    delete ("/v1/queues/q");
}

static void test_leases(void **state)
{
    (void)state;
    struct reply r;
    char body[64];
    put("/v1/queues/lent", "", 201, "");
    post("/v1/queues/lent/put", "{\"values\":[1,2,3]}", 200, "3");
    http_post(&web, &r, "/v1/queues/lent/get?n=2&lease=60", "");
    assert_int_equal(json_number(r.json, "values.1"), 2);
    long long first = json_number(r.json, "leases.0"), second = json_number(r.json, "leases.1");
    assert_true(first > 0 && second > first);
    reply_free(&r);
    get("/v1/queues/lent", "\"size\":1,\"leased\":2");
    snprintf(body, sizeof body, "{\"leases\":[%lld]}", first);
    post("/v1/queues/lent/ack", body, 204, NULL);
    refuse("POST", "/v1/queues/lent/ack", body, 404, "no-entry");
    snprintf(body, sizeof body, "{\"leases\":[%lld]}", second);
    post("/v1/queues/lent/nack", body, 204, NULL);
    post("/v1/queues/lent/get?lease=0.05", NULL, 200, "{\"value\":2,\"values\":[2],\"leases\":["); /* in front again */
    post("/v1/queues/lent/get", NULL, 200, "\"value\":3");
    post("/v1/queues/lent/get?wait=20", NULL, 200, "\"value\":2"); /* when the lease is over */
    delete ("/v1/queues/lent");
}

static void test_idempotent_get(void **state)
{
    (void)state;
    put("/v1/queues/again", "", 201, "");
    post("/v1/queues/again/put", "{\"values\":[1,2,3]}", 200, "3");
    for (int i = 0; i < 3; i++)
        say("POST", "/v1/queues/again/get", "", "Idempotency-Key: one", 200, "{\"value\":1,\"values\":[1]}");
    say("POST", "/v1/queues/again/get?n=5", "", "Idempotency-Key: two", 200, "{\"values\":[2,3]}");
    say("POST", "/v1/queues/again/get?n=5", "", "Idempotency-Key: two", 200, "{\"values\":[2,3]}");
    refuse_with("POST", "/v1/queues/again/get", "", "Idempotency-Key: a b", 400, "invalid-header");
    delete ("/v1/queues/again");
}

static void test_sizes(void **state)
{
    (void)state;
    enum { MOST = 8 * 1024 * 1024 };
    char *body = malloc(MOST + 64);
    struct reply r;
    put("/v1/queues/large", "", 201, "");
    int n = sprintf(body, "{\"value\":\"");
    memset(body + n, 'x', MOST - 2);
    strcpy(body + n + MOST - 2, "\"}");
    post("/v1/queues/large/put", body, 200, "{\"size\":1}");
    http_post(&web, &r, "/v1/queues/large/get?n=1", "");
    assert_int_equal(r.length, MOST + (int)strlen("{\"values\":[]}\n"));
    reply_free(&r);
    strcpy(body + n + MOST - 2, "x\"}");
    refuse("POST", "/v1/queues/large/put", body, 413, "object-limit");
    delete ("/v1/queues/large");
    free(body);
}

/* ---- pipes, locks ---- */

static void test_pipe(void **state)
{
    (void)state;
    put("/v1/pipes/p", "", 201, "\"duplex\":true");
    post("/v1/pipes/p/a/send", "{\"value\":\"to b\"}", 204, NULL);
    post("/v1/pipes/p/b/send", "{\"value\":\"to a\"}", 204, NULL);
    get("/v1/pipes/p/b/poll", "{\"ready\":true}");
    post("/v1/pipes/p/b/recv", NULL, 200, "{\"value\":\"to b\"}");
    get("/v1/pipes/p/b/poll", "{\"ready\":false}");
    refuse("POST", "/v1/pipes/p/b/recv", "", 409, "queue-empty");
    refuse("POST", "/v1/pipes/p/b/send", "{\"value\":1,\"end\":\"a\"}", 422, "object-invalid");
    refuse("POST", "/v1/pipes/p/b/send", "{}", 422, "object-invalid");
    post("/v1/pipes/p/b/close", NULL, 204, NULL);
    refuse("POST", "/v1/pipes/p/b/recv", "", 410, "end-of-file");
    post("/v1/pipes/p/a/recv", NULL, 200, "{\"value\":\"to a\"}"); /* what was sent before can be read */
    refuse("POST", "/v1/pipes/p/a/recv", "", 410, "end-of-file");
    refuse("POST", "/v1/pipes/p/a/send", "{\"value\":1}", 410, "end-of-file");
    delete ("/v1/pipes/p");
}

static long long acquire(const char *path, const char *body)
{
    struct reply r;
    http_post(&web, &r, path, body);
    long long token = json_number(r.json, "token");
    if (r.status != 200 || token < 1)
        fail_msg("%s: %ld %s", path, r.status, r.body);
    reply_free(&r);
    return token;
}

static void release(const char *path, long long token)
{
    char body[64];
    snprintf(body, sizeof body, "{\"token\":%lld}", token);
    post(path, body, 204, NULL);
}

static void test_lock(void **state)
{
    (void)state;
    char body[64];
    put("/v1/locks/l", "", 201, "\"type\":\"lock\"");
    refuse("POST", "/v1/locks/l/acquire", "", 422, "object-invalid"); /* ttl */
    long long first = acquire("/v1/locks/l/acquire", "{\"ttl\":60}");
    refuse("POST", "/v1/locks/l/acquire", "{\"ttl\":60}", 409, "busy");
    get("/v1/locks/l", "\"holder\":\"http\"");
    snprintf(body, sizeof body, "{\"token\":%lld,\"ttl\":70}", first);
    post("/v1/locks/l/renew", body, 200, "\"expires_ms\":");
    release("/v1/locks/l/release", first);
    refuse("POST", "/v1/locks/l/release", "{\"token\":1}", 409, "not-holder");
    long long second = acquire("/v1/locks/l/acquire", "{\"ttl\":0.05}");
    assert_true(second > first);
    assert_true(acquire("/v1/locks/l/acquire?wait=20", "{\"ttl\":60}") > second); /* when the ttl is over */
    snprintf(body, sizeof body, "{\"token\":%lld,\"ttl\":70}", second);
    refuse("POST", "/v1/locks/l/renew", body, 409, "not-holder");
    delete ("/v1/locks/l");
}

static void test_semaphore(void **state)
{
    (void)state;
    char body[64];
    put("/v1/locks/s", "{\"type\":\"bounded\",\"value\":2}", 201, "\"value\":2");
    long long token = acquire("/v1/locks/s/acquire", "{\"ttl\":60}");
    acquire("/v1/locks/s/acquire", "{\"ttl\":60}");
    refuse("POST", "/v1/locks/s/acquire", "{\"ttl\":60}", 409, "busy");
    release("/v1/locks/s/release", token);
    acquire("/v1/locks/s/acquire", "{\"ttl\":60}");
    delete ("/v1/locks/s");
    put("/v1/locks/r", "{\"type\":\"rlock\"}", 201, "rlock");
    token = acquire("/v1/locks/r/acquire", "{\"ttl\":60}");
    snprintf(body, sizeof body, "{\"ttl\":60,\"token\":%lld}", token);
    assert_int_equal(acquire("/v1/locks/r/acquire", body), token);
    release("/v1/locks/r/release", token);
    refuse("POST", "/v1/locks/r/acquire", "{\"ttl\":60}", 409, "busy"); /* still held once */
    release("/v1/locks/r/release", token);
    delete ("/v1/locks/r");
    put("/v1/values/guarded", "{\"typecode\":\"i\"}", 201, "");
    token = acquire("/v1/locks/values%2Fguarded/acquire", "{\"ttl\":60}");
    release("/v1/locks/values%2Fguarded/release", token);
    delete ("/v1/values/guarded");
    refuse("POST", "/v1/locks/values%2Fguarded/acquire", "{\"ttl\":60}", 404, "object-missing");
}

/* ---- dicts ---- */

static void test_dict_keys(void **state)
{
    (void)state;
    static const char *const keys[] = {"k", "a%2Fb", "%C3%A9", "a%20b", "items", "%0A", "%22", "%5C", "..%2f", "a+b"};
    static const char *const texts[] = {"\"k\":0",   "\"a/b\":1",  "\"é\":2",    "\"a b\":3", "\"items\":4",
                                        "\"\\n\":5", "\"\\\"\":6", "\"\\\\\":7", "\"../\":8", "\"a+b\":9"};
    char path[2048], body[32];
    put("/v1/dicts/keys", "", 201, "");
    for (int i = 0; i < 10; i++) {
        snprintf(path, sizeof path, "/v1/dicts/keys/%s", keys[i]);
        snprintf(body, sizeof body, "%d", i);
        put(path, body, 200, "{\"version\":");
        snprintf(body, sizeof body, "{\"value\":%d,", i);
        get(path, body);
        get("/v1/dicts/keys", texts[i]);
    }
    strcpy(path, "/v1/dicts/keys/");
    for (int i = 0; i < 256; i++)
        strcat(path, "%C3%A9");
    put(path, "1", 200, "version");
    strcat(path, "x");
    refuse("PUT", path, "1", 413, "object-limit");
    refuse("GET", "/v1/dicts/keys/a%00b", NULL, 404, "not-found");
    delete ("/v1/dicts/keys");
}

static void test_dict_versions(void **state)
{
    (void)state;
    struct reply r;
    char tag[64], match[96], none[96];
    put("/v1/dicts/v", "", 201, "");
    say("PUT", "/v1/dicts/v/k", " {\"a\": 1} ", "If-None-Match: *", 200, "version");
    refuse_with("PUT", "/v1/dicts/v/k", "2", "If-None-Match: *", 412, "changed");
    http_get(&web, &r, "/v1/dicts/v/k");
    assert_string_equal(r.body, "{\"value\":{\"a\": 1},\"version\":2}\n");
    assert_true(reply_header(&r, "ETag", tag, sizeof tag));
    reply_free(&r);
    snprintf(match, sizeof match, "If-Match: %s", tag);
    snprintf(none, sizeof none, "If-None-Match: W/\"77\", %s", tag);
    say("GET", "/v1/dicts/v/k", NULL, none, 304, NULL);
    say("PUT", "/v1/dicts/v/k", "2", match, 200, "version");
    refuse_with("PUT", "/v1/dicts/v/k", "3", match, 412, "changed");
    refuse_with("DELETE", "/v1/dicts/v/k", NULL, match, 412, "changed");
    refuse_with("POST", "/v1/dicts/v", "{\"set\":{\"key\":\"k\",\"value\":3}}", match, 412, "changed");
    refuse_with("PUT", "/v1/dicts/v/k", "3", "If-Match: *", 400, "invalid-header");
    refuse_with("PUT", "/v1/dicts/v/k", "3", "If-Match: \"1\", \"2\"", 400, "invalid-header");
    say("GET", "/v1/dicts/v/k", NULL, none, 200, "{\"value\":2,");
    http_ask(&web, &(struct ask){.method = "HEAD", .path = "/v1/dicts/v/k"}, &r);
    expect_status(&r, 200);
    delete ("/v1/dicts/v/k");
    http_ask(&web, &(struct ask){.method = "HEAD", .path = "/v1/dicts/v/k"}, &r);
    expect_status(&r, 404);
    refuse("GET", "/v1/dicts/v/k", NULL, 404, "no-entry");
    refuse("DELETE", "/v1/dicts/v/k", NULL, 404, "no-entry");
    delete ("/v1/dicts/v");
}

static void test_dict_operations(void **state)
{
    (void)state;
    static const char path[] = "/v1/dicts/ops";
    put(path, "", 201, "");
    post(path, "{\"update\":{\"entries\":{\"b\":[1],\"a\":2}}}", 204, NULL);
    post(path, "{\"setdefault\":{\"key\":\"c\",\"value\":{}}}", 200, "{\"value\":{}");
    post(path, "{\"add\":{\"key\":\"a\",\"by\":40}}", 200, "{\"value\":42");
    refuse("POST", path, "{\"add\":{\"key\":\"b\"}}", 422, "object-invalid");
    post(path, "{\"contains\":{\"key\":\"zz\"}}", 200, "false");
    post(path, "{\"get\":{\"key\":\"zz\",\"default\":null}}", 200, "{\"value\":null}");
    post(path, "{\"items\":{}}", 200, "{\"items\":[[\"b\",[1]],[\"a\",42],[\"c\",{}]]}");
    get(path, "\"length\":3");
    get(path, "\"items\":{\"b\":[1],\"a\":42,\"c\":{}},\"next\":null");
    get("/v1/dicts/ops?limit=2", "\"items\":{\"b\":[1],\"a\":42},\"next\":\"a\"");
    get("/v1/dicts/ops?limit=2&after=a", "\"items\":{\"c\":{}},\"next\":null");
    get("/v1/dicts/ops?fields=keys", "\"keys\":[\"b\",\"a\",\"c\"],\"next\":null");
    get("/v1/dicts/ops?fields=values", "\"values\":[[1],42,{}],\"next\":null");
    refuse("GET", "/v1/dicts/ops?fields=x", NULL, 400, "invalid-parameter");
    refuse("GET", "/v1/dicts/ops?after=zz", NULL, 404, "no-entry");
    post(path, "{\"pop\":{\"key\":\"b\"}}", 200, "{\"value\":[1]");
    refuse("POST", path, "{\"delete\":{ }}", 422, "object-invalid"); /* and not the dict itself */
    post(path, "{\"popitem\":{}}", 200, "{\"key\":\"c\",\"value\":{}}");
    post(path, "{\"clear\":{}}", 204, NULL);
    get(path, "\"items\":{}");
    delete (path);
}

/* ---- lists ---- */

static void test_list(void **state)
{
    (void)state;
    static const char path[] = "/v1/lists/l";
    put(path, "", 201, "\"length\":0");
    post(path, "{\"extend\":{\"values\":[3,1,2,\"x\"]}}", 204, NULL);
    get("/v1/lists/l/0", "{\"value\":3}");
    get("/v1/lists/l/-1", "{\"value\":\"x\"}");
    refuse("GET", "/v1/lists/l/4", NULL, 404, "no-entry");
    refuse("POST", path, "{\"sort\":{}}", 422, "object-invalid");
    put("/v1/lists/l/-1", "0", 204, NULL);
    post(path, "{\"sort\":{\"reverse\":true}}", 204, NULL);
    get(path, "\"start\":0,\"values\":[3,2,1,0],\"next\":null");
    get("/v1/lists/l?start=1&limit=2", "\"start\":1,\"values\":[2,1],\"next\":3");
    get("/v1/lists/l?start=-1", "\"start\":3,\"values\":[0],\"next\":null");
    get("/v1/lists/l?start=99", "\"start\":4,\"values\":[],\"next\":null");
    delete ("/v1/lists/l/1");
    post(path, "{\"insert\":{\"index\":0,\"value\":[]}}", 204, NULL);
    post(path, "{\"pop\":{}}", 200, "{\"value\":0}");
    post(path, "{\"slice\":{\"start\":1}}", 200, "{\"values\":[3,1]}");
    refuse_with("POST", path, "{\"append\":{\"value\":1}}", "If-Match: \"1\"", 412, "changed");
    refuse_with("PUT", "/v1/lists/l/0", "1", "If-Match: \"1\"", 412, "changed");
    struct reply r;
    char tag[64], match[96];
    http_get(&web, &r, "%s", path);
    assert_true(reply_header(&r, "ETag", tag, sizeof tag));
    reply_free(&r);
    snprintf(match, sizeof match, "If-Match: %s", tag);
    say("POST", path, "{\"append\":{\"value\":9}}", match, 204, NULL);
    refuse_with("DELETE", "/v1/lists/l/0", NULL, match, 412, "changed");
    get(path, "\"values\":[[],3,1,9]");
    delete (path);
}

/* ---- values, arrays ---- */

static void test_value(void **state)
{
    (void)state;
    refuse("PUT", "/v1/values/v", "", 422, "object-invalid");
    put("/v1/values/v", "{\"typecode\":\"b\",\"value\":5}", 201, "\"typecode\":\"b\"");
    get("/v1/values/v", "\"value\":5}");
    put("/v1/values/v/value", "127", 204, NULL);
    get("/v1/values/v/value", "{\"value\":127}");
    refuse("PUT", "/v1/values/v/value", "128", 422, "overflow");
    refuse("PUT", "/v1/values/v/value", "\"1\"", 422, "object-invalid");
    refuse("POST", "/v1/values/v", "{\"add\":{\"by\":1}}", 422, "overflow");
    post("/v1/values/v", "{\"add\":{\"by\":-7}}", 200, "{\"value\":120}");
    post("/v1/values/v", "{\"compare_set\":{\"expected\":120,\"value\":1}}", 204, NULL);
    refuse("POST", "/v1/values/v", "{\"compare_set\":{\"expected\":120,\"value\":1}}", 412, "changed");
    refuse_with("PUT", "/v1/values/v/value", "3", "If-Match: \"1\"", 412, "changed");
    get("/v1/values/v/value", "{\"value\":1}");
    delete ("/v1/values/v");
}

static void test_array(void **state)
{
    (void)state;
    struct reply r;
    put("/v1/arrays/a", "{\"typecode\":\"h\",\"values\":[1,2,3]}", 201, "\"length\":3");
    get("/v1/arrays/a/data", "{\"values\":[1,2,3]}");
    get("/v1/arrays/a/data?start=-2&stop=-1", "{\"values\":[2]}");
    put("/v1/arrays/a/data?start=1", "[-2, 300]", 204, NULL);
    refuse("PUT", "/v1/arrays/a/data?start=2", "[1,2]", 404, "no-entry");
    refuse("PUT", "/v1/arrays/a/data", "[1,40000]", 422, "overflow");
    refuse("PUT", "/v1/arrays/a/data", "7", 422, "object-invalid");
    http_get_as(&web, &r, "application/octet-stream", "/v1/arrays/a/data");
    assert_int_equal(r.length, 6);
    assert_memory_equal(r.body, "\1\0\xfe\xff\x2c\1", 6);
    reply_free(&r);
    http_get(&web, &r, "/v1/arrays/a/data?format=bytes&start=2");
    assert_int_equal(r.length, 2);
    reply_free(&r);
    say("PUT", "/v1/arrays/a/data?start=1", "ab", bytes_type, 204, NULL);
    get("/v1/arrays/a/1", "{\"value\":25185}");
    refuse_with("PUT", "/v1/arrays/a/data", "abc", bytes_type, 422, "object-invalid");
    refuse_with("PUT", "/v1/arrays/a/data", "abcdefgh", bytes_type, 404, "no-entry");
    refuse_with("GET", "/v1/arrays/a/data", NULL, "Accept: image/png", 406, "not-acceptable");
    say("GET", "/v1/arrays/none/data", NULL, bytes_accept, 404, "object-missing");
    put("/v1/arrays/a/-1", "7", 204, NULL);
    refuse("PUT", "/v1/arrays/a/3", "7", 404, "no-entry");
    post("/v1/arrays/a", "{\"add\":{\"index\":2,\"by\":3}}", 200, "{\"value\":10}");
    post("/v1/arrays/a", "{\"compare_set\":{\"index\":0,\"expected\":1,\"value\":4}}", 204, NULL);
    refuse("POST", "/v1/arrays/a", "{\"compare_set\":{\"index\":0,\"expected\":1,\"value\":4}}", 412, "changed");
    get("/v1/arrays/a/data", "{\"values\":[4,25185,10]}");
    delete ("/v1/arrays/a");
}

static void test_metrics(void **state)
{
    (void)state;
    put("/v1/queues/counted", "", 201, "");
    get("/metrics", "poold_objects{kind=\"queue\"} 1\n");
    get("/metrics", "poold_object_calls_waiting 0\n");
    get("/v1/pool", "\"waiting\":0");
    get("/v1/pool", "\"stuck\":null");
    get("/v1/workers", "\"waiting_for\":null");
    delete ("/v1/queues/counted");
}

/* ---- tasks that wait ---- */

static char folder[256];

static void must_wait_for(const char *url, const char *path, const char *value)
{
    if (!wait_for(&web, url, path, value, 20000))
        fail_msg("%s: %s never became %s", url, path, value);
}

static void test_waiting_task_is_shown(void **state)
{
    (void)state;
    char path[96];
    struct reply r;
    put("/v1/queues/tasks", "", 201, "");
    struct job_id id = job_submit(&web, "{\"function\":\"take\",\"map\":[1]}");
    snprintf(path, sizeof path, "/v1/jobs/%s/items/0", id.text);
    must_wait_for(path, "waiting_for", "queue tasks (get)");
    must_wait_for(path, "state", "waiting");
    must_wait_for("/v1/pool", "workers.waiting", "1");
    get("/v1/workers", "\"waiting_for\":\"queue tasks (get)\"");
    get("/metrics", "poold_workers_waiting 1\n");
    post("/v1/queues/tasks/put", "{\"value\":{\"for\":\"you\"}}", 200, "size");
    job_wait(&web, id, 20000, &r);
    assert_string_equal(json_text(r.json, "state"), "succeeded");
    reply_free(&r);
    must_wait_for("/v1/pool", "workers.waiting", "0");
    delete ("/v1/queues/tasks");
}

static int setup(void **state)
{
    char path[320];
    (void)state;
    strcpy(folder, "/tmp/poold-objects-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/take.json", folder);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs("{\"command\":[\"poold-call\",\"queues/tasks\",\"get\",\"--wait\",\"60\"]}", f);
    assert_int_equal(fclose(f), 0);
    return fixture_begin((const char *const[]){"--functions", folder, NULL});
}

static int teardown(void **state)
{
    char path[320];
    int result = fixture_teardown(state);
    snprintf(path, sizeof path, "%s/take.json", folder);
    unlink(path);
    rmdir(folder);
    return result;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_leases),
        cmocka_unit_test(test_idempotent_get),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_lock),
        cmocka_unit_test(test_semaphore),
        cmocka_unit_test(test_dict_keys),
        cmocka_unit_test(test_dict_versions),
        cmocka_unit_test(test_dict_operations),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_value),
        cmocka_unit_test(test_array),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_waiting_task_is_shown),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

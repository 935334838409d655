/* manifest_test: what a manifest may say, what is said of one that is wrong, and what comes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "manifest/manifest.h"

static struct error error;

static struct manifest *parse(const char *text)
{
    error.text[0] = '\0';
    return manifest_parse(text, strlen(text), "functions/thumb.json", "/srv/functions", &error);
}

static struct manifest *good(const char *text)
{
    struct manifest *m = parse(text);
    if (m == NULL)
        fail_msg("%s\nis refused: %s", text, error.text);
    return m;
}

/* ---- what is refused, and how ---- */

static const struct {
    const char *text, *message; /* message after "functions/thumb.json:" */
} refused[] = {
    /* not JSON, not an object */
    {"", "1: not JSON: unexpected end"},
    {"{\n\"command\":[\"a\"],\n}", "3: not JSON: "},
    {"{\n\"command\":\n[\"a\"", "3: not JSON: unexpected end"},
    {"{\"command\":[\"a\"]} {}", "1: not JSON: "},
    {"\n[1]", "2: expected an object"},
    /* keys */
    {"{\"command\":[\"a\"],\n\n\"nmae\":1}", "3: \"nmae\": no such key (workers/README.md lists them)"},
    {"{\"command\":[\"a\"],\n\"timeout\":1}",
     "2: \"timeout\": no such key here; it goes into \"defaults\" or \"ceilings\""},
    {"{\"command\":[\"a\"],\"memory\":1}", "1: \"memory\": no such key here; it goes into \"limits\""},
    {"{\"command\":[\"a\"],\n\"name\":\"a\",\n\"name\":\"a\"}", "3: \"name\": is here twice"},
    {"{\"command\":[\"a\"],\"folder\":\"/\"}", "1: \"folder\": no such key"},
    {"{\"source\":\"x\",\"command\":[\"a\"]}", "1: \"source\": no such key"},
    {"{ \"canonical\":1,\"command\":[\"a\"]}", "1: \"canonical\": no such key"},
    /* which kind it is */
    {"{\n\"name\":\"a\"}", "1: one of command, runtime and plugin is needed"},
    {"{\"command\":[\"a\"],\n\"runtime\":\"node\"}", "2: \"runtime\": only one of command, runtime and plugin"},
    {"{\"plugin\":\"a.so\",\n\"command\":[\"a\"]}", "1: \"plugin\": only one of command, runtime and plugin"},
    {"{\"command\":[\"a\"],\n\"module\":\"m\"}", "2: \"module\": not possible with command"},
    {"{\"command\":[\"a\"],\n\"initializer\":\"m\"}", "2: \"initializer\": not possible with command"},
    {"{\"command\":[\"a\"],\n\"max_tasks_per_child\":1}", "2: \"max_tasks_per_child\": not possible with command"},
    {"{\"command\":[\"a\"],\n\"max_rss\":\"1G\"}", "2: \"max_rss\": not possible with command"},
    {"{\"command\":[\"a\"],\n\"start_timeout\":1}", "2: \"start_timeout\": not possible with command"},
    {"{\"plugin\":\"a.so\",\n\"module\":\"m\"}", "2: \"module\": not possible with plugin"},
    {"{\"plugin\":\"a.so\",\n\"input\":\"text\"}", "2: \"input\": not possible with plugin"},
    {"{\"runtime\":\"node\",\"module\":\"m\",\n\"output\":\"text\"}", "2: \"output\": not possible with runtime"},
    {"{\"runtime\":[\"ruby\"],\n\"module\":\"m\"}",
     "2: \"module\": only possible with the runtimes \"python\" and \"node\""},
    {"{\"runtime\":[\"ruby\"],\n\"initializer\":\"m\"}", "2: \"initializer\": only possible with"},
    {"{\n\"runtime\":\"python\"}", "2: \"runtime\": needs \"module\", the name of the module to import"},
    {"{\"runtime\":\"node\",\"module\":\"m\",\n\"initargs\":[]}", "2: \"initargs\": needs \"initializer\""},
    /* types */
    {"{\"command\":\n\"wc -w\"}", "2: \"command\": expected a list of texts such as [\"wc\", \"-w\"], got \"wc -w\""},
    {"{\"command\":[]}", "1: \"command\": expected a list of texts such as [\"wc\", \"-w\"], got []"},
    {"{\"command\":[\"a\",\n1]}", "2: \"command\": expected a list of texts such as [\"wc\", \"-w\"], got 1"},
    {"{\"command\":[\"a\\u0000b\"]}", "1: \"command\": expected a list of texts"},
    {"{\"command\":[\"\"]}", "1: \"command\": expected a list that begins with a program"},
    {"{\"command\":[\"bin/{}\"]}", "1: \"command\": expected a program that is not the item"},
    {"{\"runtime\":\"perl\"}", "1: \"runtime\": expected \"python\", \"node\" or a list of texts such as"},
    {"{\"runtime\":[]}", "1: \"runtime\": expected \"python\", \"node\" or a list"},
    {"{\"plugin\":\"\"}", "1: \"plugin\": expected the path of a shared object, got \"\""},
    {"{\"plugin\":null}", "1: \"plugin\": expected the path of a shared object, got null"},
    {"{\"command\":[\"a\"],\"summary\":\"two\\nlines\"}", "1: \"summary\": expected one line of text"},
    {"{\"command\":[\"a\"],\"summary\":7}", "1: \"summary\": expected one line of text, got 7"},
    {"{\"command\":[\"a\"],\"input\":\"xml\"}", "1: \"input\": expected \"json\", \"text\" or \"base64\", got \"xml\""},
    {"{\"command\":[\"a\"],\"output\":1}", "1: \"output\": expected \"json\", \"text\" or \"base64\", got 1"},
    {"{\"runtime\":\"node\",\"module\":\"m\",\"initializer\":\"i\",\"initargs\":{\"a\":1}}",
     "1: \"initargs\": expected a list of arguments, got {\"a\":1}"},
    {"{\"command\":[\"a\"],\"directory\":false}", "1: \"directory\": expected a path, got false"},
    {"{\"command\":[\"a\"],\"environment\":[\"A\",\n\"2B\"]}", "1: \"environment\": expected a list of \"NAME\""},
    {"{\"command\":[\"a\"],\"environment\":[\"A B=1\"]}", "1: \"environment\": expected a list of \"NAME\""},
    {"{\"command\":[\"a\"],\"environment\":[\"=1\"]}", "1: \"environment\": expected a list of \"NAME\""},
    {"{\"command\":[\"a\"],\"environment\":{\"A\":\"1\"}}", "1: \"environment\": expected a list of \"NAME\""},
    {"{\"command\":[\"a\"],\"environment\":[\"A=1\",\"AB\",\"A\"]}", "1: \"environment\": A is here twice"},
    /* names */
    {"{\"command\":[\"a\"],\"name\":\"\"}", "1: \"name\": expected a name, got \"\""},
    {"{\"command\":[\"a\"],\n\"name\":\"1a\"}", "2: \"name\": expected letters, digits, _ and -"},
    {"{\"command\":[\"a\"],\"name\":\"a/b\"}", "1: \"name\": expected letters"},
    {"{\"command\":[\"a\"],\"name\":\"gr\xc3\xb6\xc3\x9f\x65\"}", "1: \"name\": expected letters"},
    {"{\"plugin\":\"a.so\",\"name\":\"a.b\"}", "1: \"name\": expected letters"},
    {"{\"command\":[\"a\"],\"name\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}",
     "1: \"name\": expected letters"},
    {"{\"runtime\":\"node\",\n\"module\":\"./m.js\"}",
     "2: \"module\": cannot be the name of the functions too; add \"name\""},
    /* options */
    {"{\"command\":[\"a\"],\"defaults\":[]}", "1: \"defaults\": expected an object of job options, got []"},
    {"{\"command\":[\"a\"],\"defaults\":{\n\"timeout\": \"soon\"}}",
     "2: \"defaults.timeout\": expected seconds, got \"soon\""},
    {"{\"command\":[\"a\"],\"defaults\":{\"timeout\":-1}}",
     "1: \"defaults.timeout\": expected 0 to 31536000 seconds, got -1"},
    {"{\"command\":[\"a\"],\"ceilings\":{\"timeout\":1e300}}", "1: \"ceilings.timeout\": expected 0 to 31536000 sec"},
    {"{\"command\":[\"a\"],\"ceilings\":{\"timeout\":0}}", "1: \"ceilings.timeout\": 0 is no ceiling; leave it out"},
    {"{\"command\":[\"a\"],\"ceilings\":{\"processes\":0}}", "1: \"ceilings.processes\": 0 is no ceiling"},
    {"{\"command\":[\"a\"],\"defaults\":{\"max_attempts\":0}}",
     "1: \"defaults.max_attempts\": expected an integer from 1 to 1000, got 0"},
    {"{\"command\":[\"a\"],\"defaults\":{\"max_attempts\":1.5}}",
     "1: \"defaults.max_attempts\": expected an integer from 1 to 1000, got 1.5"},
    {"{\"command\":[\"a\"],\"defaults\":{\"priority\":10}}", "1: \"defaults.priority\": expected an integer from 0"},
    {"{\"command\":[\"a\"],\"defaults\":{\"processes\":513}}", "1: \"defaults.processes\": expected an integer from 0"},
    {"{\"command\":[\"a\"],\"defaults\":{\"chunksize\":\"1\"}}", "1: \"defaults.chunksize\": expected an integer"},
    {"{\"command\":[\"a\"],\"defaults\":{\"backoff\":86401}}", "1: \"defaults.backoff\": expected 0 to 86400 seconds"},
    {"{\"command\":[\"a\"],\"defaults\":{\"isolation\":\"vm\"}}",
     "1: \"defaults.isolation\": expected \"pool\" or \"process\", got \"vm\""},
    {"{\"command\":[\"a\"],\"defaults\":{\"fail_fast\":1}}",
     "1: \"defaults.fail_fast\": expected true or false, got 1"},
    {"{\"command\":[\"a\"],\"defaults\":{\"retention\":null}}",
     "1: \"defaults.retention\": expected seconds, got null"},
    {"{\"command\":[\"a\"],\"defaults\":{\"open\":true}}",
     "1: \"defaults.open\": no such option here; there are timeou"},
    {"{\"command\":[\"a\"],\"ceilings\":{\"delay\":1}}",
     "1: \"ceilings.delay\": no such option here; there are timeout"},
    {"{\"command\":[\"a\"],\"defaults\":{\"backoff\":1,\n\"backoff\":1}}", "2: \"defaults.backoff\": is here twice"},
    {"{\"command\":[\"a\"],\"ceilings\":{\"timeout\":60},\n\"defaults\":{\"backoff\":1,\n\"timeout\":60.5}}",
     "3: \"defaults.timeout\": timeout: 60.500 is above the ceiling, its own ceiling allows at most 60"},
    {"{\"command\":[\"a\"],\"ceilings\":{\"timeout\":60},\"defaults\":{\"timeout\":0}}",
     "1: \"defaults.timeout\": timeout: 0 (no limit) is above the ceiling"},
    {"{\"command\":[\"a\"],\"ceilings\":{\"isolation\":\"process\"},\"defaults\":{\"isolation\":\"pool\"}}",
     "1: \"defaults.isolation\": isolation: \"pool\" is not possible, its own ceiling allows only \"process\""},
    /* limits and numbers */
    {"{\"command\":[\"a\"],\"limits\":1}", "1: \"limits\": expected an object of limits, got 1"},
    {"{\"command\":[\"a\"],\"limits\":{\n\"mem\":1}}",
     "2: \"limits.mem\": no such limit; there are memory, cpu, files, o"},
    {"{\"command\":[\"a\"],\"limits\":{\"memory\":\"256 M\"}}",
     "1: \"limits.memory\": expected bytes as an integer or a text such as \"256M\" (K, M, G), got \"256 M\""},
    {"{\"command\":[\"a\"],\"limits\":{\"memory\":\"M\"}}", "1: \"limits.memory\": expected bytes"},
    {"{\"command\":[\"a\"],\"limits\":{\"memory\":\"\"}}", "1: \"limits.memory\": expected bytes"},
    {"{\"command\":[\"a\"],\"limits\":{\"memory\":\"-1M\"}}", "1: \"limits.memory\": expected bytes"},
    {"{\"command\":[\"a\"],\"limits\":{\"memory\":\"1T\"}}", "1: \"limits.memory\": expected bytes"},
    {"{\"command\":[\"a\"],\"limits\":{\"memory\":1.5}}", "1: \"limits.memory\": expected bytes"},
    {"{\"command\":[\"a\"],\"limits\":{\"memory\":\"9223372036854775807K\"}}", "1: \"limits.memory\": expected bytes"},
    {"{\"command\":[\"a\"],\"limits\":{\"memory\":256}}", "1: \"limits.memory\": expected 1048576 to "},
    {"{\"command\":[\"a\"],\"limits\":{\"output\":\"9M\"}}",
     "1: \"limits.output\": expected 1 to 8388608 bytes, got \"9M\""},
    {"{\"command\":[\"a\"],\"limits\":{\"cpu\":0.5}}", "1: \"limits.cpu\": expected an integer from 1 to "},
    {"{\"command\":[\"a\"],\n\"files\":64}", "2: \"files\": expected an object of \"read\" and \"write\" (t"},
    {"{\"command\":[\"a\"],\"files\":{\"exec\":[]}}", "1: \"files.exec\": no such key here; there are read, write"},
    {"{\"command\":[\"a\"],\"files\":{\"read\":[],\"read\":[]}}", "1: \"files.read\": is here twice"},
    {"{\"command\":[\"a\"],\"files\":{\"read\":\"/usr\"}}", "1: \"files.read\": expected a list of paths"},
    {"{\"command\":[\"a\"],\"files\":{\"read\":[\"\"]}}", "1: \"files.read\": expected a list of paths"},
    {"{\"command\":[\"a\"],\n\"files\":{\"write\":[\"/usr\",\"/no/such\"]}}",
     "2: \"files\": /no/such: No such file or directory"},
    {"{\"command\":[\"a\"],\n\"files\":{\"read\":[\"fonts\"]}}",
     "2: \"files\": /srv/functions/fonts: No such file or directory"},
    {"{\"plugin\":\"a.so\",\n\"files\":{}}", "2: \"files\": not possible with plugin"},
    {"{\"command\":[\"a\"],\"limits\":{\"files\":3}}", "1: \"limits.files\": expected an integer from 8 to "},
    {"{\"command\":[\"a\"],\"limits\":{\"cpu\":1,\"cpu\":1}}", "1: \"limits.cpu\": is here twice"},
    {"{\"command\":[\"a\"],\"concurrency\":0}", "1: \"concurrency\": expected an integer from 1 to 1000000, got 0"},
    {"{\"command\":[\"a\"],\"concurrency\":\"x\xc3\xa4xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xc3\xa4xxxxxx\"}",
     "1: \"concurrency\": expected an integer from 1 to 1000000, got \"x\xc3\xa4xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…"},
    {"{\"plugin\":\"a\",\"max_tasks_per_child\":-1}", "1: \"max_tasks_per_child\": expected an integer from 1"},
    {"{\"plugin\":\"a\",\"max_rss\":5}", "1: \"max_rss\": expected 1048576 to"},
    {"{\"runtime\":[\"a\"],\"start_timeout\":0}", "1: \"start_timeout\": expected 0.001 to 3600 seconds, got 0"},
};

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const char file[] = "functions/thumb.json:";
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct manifest *m = parse(refused[i].text);
        if (m != NULL)
            fail_msg("%s\nis accepted: %s", refused[i].text, manifest_text(m));
        if (strncmp(error.text, file, sizeof file - 1) != 0 ||
            strncmp(error.text + sizeof file - 1, refused[i].message, strlen(refused[i].message)) != 0)
            fail_msg("%s\nsays     %s\nexpected %s%s", refused[i].text, error.text, file, refused[i].message);
    }
}

/* ---- what is accepted, and what comes of it ---- */

static void an_exec_is_read_whole(void **state)
{
    (void)state;
    struct manifest *m = good(
        "{\"name\":\"docs.words\",\"summary\":\"W\\u00f6rter\",\"example\":[1e400,\n "
        "0.10],\"command\":[\"bin/wc\",\"-w\","
        "\"x{}y\",\"; $(x) | \\\\\"],\"input\":\"text\",\"output\":\"base64\",\"directory\":\"work\",\"environment\":"
        "[\"HOME\",\"A=b=c\",\"EMPTY=\"],\"concurrency\":3,\"defaults\":{\"timeout\":1.5},\"ceilings\":{\"priority\":3}"
        ","
        "\"limits\":{\"memory\":\"256M\",\"cpu\":5,\"files\":64,\"output\":\"1K\"}}");
    assert_string_equal(m->name, "docs.words");
    assert_int_equal(m->kind, MANIFEST_EXEC);
    assert_string_equal(m->source, "functions/thumb.json");
    assert_string_equal(m->summary, "W\xc3\xb6rter");
    assert_string_equal(m->example, "[1e400,  0.10]"); /* as it stood, on one line */
    assert_string_equal(m->argv[0], "/srv/functions/bin/wc");
    assert_string_equal(m->argv[2], "x{}y");
    assert_string_equal(m->argv[3], "; $(x) | \\");
    assert_null(m->argv[4]);
    assert_int_equal(m->input, FORM_TEXT);
    assert_int_equal(m->output, FORM_BASE64);
    assert_string_equal(m->directory, "/srv/functions/work");
    assert_string_equal(m->folder, "/srv/functions");
    assert_string_equal(m->environment[1], "A=b=c");
    assert_null(m->environment[3]);
    assert_int_equal(m->concurrency, 3);
    assert_int_equal(m->defaults.given, OPTION_TIMEOUT);
    assert_int_equal(m->defaults.options.timeout_ms, 1500);
    assert_int_equal(m->ceilings.given, OPTION_PRIORITY);
    assert_int_equal(m->ceilings.options.priority, 3);
    assert_int_equal(m->limits.memory, 256 << 20);
    assert_int_equal(m->limits.cpu_s, 5);
    assert_int_equal(m->limits.files, 64);
    assert_int_equal(m->limits.output, 1024);
    manifest_unref(&m);
}

static void files_are_absolute(void **state)
{
    (void)state;
    static const char relative[] = "{\"command\":[\"a\"],\"files\":{\"read\":[\"../etc\",\"/usr/\"]},"
                                   "\"directory\":\"../etc\"}";
    struct manifest *m = manifest_parse(relative, sizeof relative - 1, "f.json", "/usr", &error);
    assert_non_null(m);
    assert_true(m->files.given);
    assert_string_equal(m->files.read[0], "/etc");
    assert_string_equal(m->files.read[1], "/usr");
    assert_null(m->files.read[2]);
    assert_string_equal(m->directory, "/etc");
    assert_null(m->files.write[0]);
    manifest_unref(&m);
    m = good("{\"command\":[\"a\"]}");
    assert_false(m->files.given);
    manifest_unref(&m);
    static const char gone[] =
        "{\"canonical\":1,\"source\":\"f\",\"folder\":\"/srv\",\"name\":\"a\",\"command\":[\"a\"],"
        "\"files\":{\"read\":[\"/no/such\"],\"write\":[]}}";
    m = good(gone); /* it was there when the folder was read: the start will tell */
    manifest_unref(&m);
}

static void what_is_left_out_has_its_default(void **state)
{
    (void)state;
    struct manifest *m = good(" {\"command\":[\"wc\"]} \n");
    assert_string_equal(m->name, "thumb");
    assert_string_equal(m->argv[0], "wc"); /* of PATH */
    assert_int_equal(m->input, FORM_JSON);
    assert_int_equal(m->output, FORM_JSON);
    assert_string_equal(m->directory, "/srv/functions");
    assert_non_null(m->environment);
    assert_null(m->environment[0]);
    assert_null(m->summary);
    assert_null(m->example);
    assert_int_equal(m->defaults.given | m->ceilings.given, 0);
    assert_int_equal(m->limits.memory | m->limits.cpu_s | m->limits.files | m->limits.output, 0);
    assert_int_equal(m->concurrency, 0);
    manifest_unref(&m);
}

static void runtimes_and_plugins_are_read(void **state)
{
    (void)state;
    struct manifest *m =
        good("{\"runtime\":\"python\",\"module\":\"images\",\"initializer\":\"load\",\"initargs\":[ 1 ],"
             "\"max_tasks_per_child\":100,\"max_rss\":\"1G\",\"start_timeout\":2.5}");
    assert_string_equal(m->name, "images");
    assert_int_equal(m->language, LANGUAGE_PYTHON);
    assert_string_equal(m->argv[0], "python3");
    assert_null(m->argv[1]);
    assert_string_equal(m->initargs, "[ 1 ]");
    assert_int_equal(m->max_tasks_per_child, 100);
    assert_int_equal(m->max_rss, 1 << 30);
    assert_int_equal(m->start_timeout_ms, 2500);
    manifest_unref(&m);
    m = good("{\"runtime\":\"node\",\"module\":\"./m.js\",\"name\":\"m-1\"}");
    assert_int_equal(m->language, LANGUAGE_NODE);
    assert_string_equal(m->argv[0], "node");
    assert_int_equal(m->start_timeout_ms, 30000);
    manifest_unref(&m);
    m = good("{\"runtime\":[\"./serve.rb\",\"a/b\"]}");
    assert_string_equal(m->name, "thumb");
    assert_int_equal(m->language, LANGUAGE_NONE);
    assert_string_equal(m->argv[0], "/srv/functions/serve.rb");
    assert_string_equal(m->argv[1], "a/b");
    manifest_unref(&m);
    m = good("{\"plugin\":\"../lib/missing.so\",\"initargs\":[2]}"); /* its functions will say so */
    assert_string_equal(m->plugin, "/srv/functions/../lib/missing.so");
    assert_string_equal(m->initargs, "[2]");
    manifest_unref(&m);
}

/* ---- canonical text ---- */

static const char *const texts[] = {
    "{\"command\":[\"wc\"]}",
    "{\"command\":[\"b/wc\",\"{}\",\"\\\"\\u0001\xc3\xb6\"],\"name\":\"a.b\",\"example\":\n{\"a\":[\n1,1e400]},"
    "\"summary\":\"s\",\"environment\":[\"A\",\"B=\\n\"],\"directory\":\".\",\"output\":\"text\",\"concurrency\":9,"
    "\"limits\":{\"memory\":\"1M\"},\"defaults\":{\"timeout\":0.001,\"retention\":0.5,\"isolation\":\"process\","
    "\"fail_fast\":true,\"chunksize\":0,\"processes\":1,\"priority\":0,\"backoff\":0,\"max_attempts\":1}}",
    "{\"runtime\":\"python\",\"module\":\"m\",\"initializer\":\"i\",\"initargs\":[\n],\"ceilings\":{\"timeout\":9.25}}",
    "{\"runtime\":\"node\",\"module\":\"m\",\"start_timeout\":0.25,\"max_rss\":\"3M\",\"example\":\"\\ud83d\\ude00\"}",
    "{\"runtime\":[\"ruby\",\"x\"],\"max_tasks_per_child\":1,\"limits\":{\"cpu\":1,\"files\":8,\"output\":1}}",
    "{\"command\":[\"wc\"],\"files\":{}}",
    "{\"runtime\":\"node\",\"module\":\"m\",\"files\":{\"write\":[\"/tmp\",\"/\"],\"read\":[\"/usr\"]}}",
    "{\"plugin\":\"x.so\",\"initargs\":[1],\"start_timeout\":3,\"defaults\":{},\"limits\":{},\"environment\":[]}",
};

static void canonical_text_means_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct manifest *m = good(texts[i]);
        const char *text = manifest_text(m);
        assert_null(strchr(text, '\n'));
        struct manifest *again = manifest_parse(text, strlen(text), "define", i % 2 ? "/elsewhere" : NULL, &error);
        if (again == NULL)
            fail_msg("%s\nis refused: %s", text, error.text);
        assert_string_equal(manifest_text(again), text);
        assert_string_equal(again->source, m->source);
        assert_string_equal(again->folder, m->folder);
        assert_string_equal(again->directory, m->directory);
        assert_string_equal(again->name, m->name);
        assert_memory_equal(&again->limits, &m->limits, sizeof m->limits);
        assert_int_equal(again->defaults.given, m->defaults.given);
        assert_int_equal(again->ceilings.given, m->ceilings.given);
        assert_memory_equal(&again->ceilings.options, &m->ceilings.options, offsetof(struct job_options, name));
        assert_memory_equal(&again->defaults.options, &m->defaults.options, offsetof(struct job_options, name));
        assert_int_equal(again->start_timeout_ms, m->start_timeout_ms);
        manifest_unref(&again);
        manifest_unref(&m);
    }
}

/* Order and white space are not part of what a manifest says. */
static void equal_manifests_have_equal_texts(void **state)
{
    (void)state;
    struct manifest *a = good("{\"command\":[\"wc\"],\"limits\":{\"cpu\":1,\"memory\":\"2M\"},\"input\":\"json\"}");
    struct manifest *b =
        good("{\n\"limits\": {\"memory\":2097152, \"cpu\":1},\n\"name\":\"thumb\",\"command\":[\"wc\"]}");
    assert_string_equal(manifest_text(a), manifest_text(b));
    manifest_unref(&b);
    b = good("{\"command\":[\"wc\"],\"limits\":{\"cpu\":1,\"memory\":\"3M\"}}");
    assert_string_not_equal(manifest_text(a), manifest_text(b));
    manifest_unref(&b);
    assert_ptr_equal(manifest_ref(a), a);
    b = a;
    manifest_unref(&b);
    assert_null(b);
    assert_string_equal(a->name, "thumb"); /* the other reference */
    manifest_unref(&a);
}

static void canonical_paths_must_be_absolute(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"canonical\":1,\"folder\":\"here\",\"command\":[\"a\"]}",
        "{\"canonical\":1,\"folder\":\"/here\",\"command\":[\"b/a\"]}",
        "{\"canonical\":1,\"folder\":\"/here\",\"plugin\":\"b.so\"}",
        "{\"canonical\":1,\"folder\":\"/here\",\"plugin\":\"/b.so\",\"directory\":\"x\"}",
        "{\"canonical\":1,\"command\":[\"a\"]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_null(manifest_parse(bad[i], strlen(bad[i]), "define", NULL, &error));
        assert_non_null(strstr(error.text, "absolute path"));
    }
}

/* A manifest from the wire may be anything: no prefix of a good one crashes or is accepted. */
static void no_prefix_is_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct manifest *m = good(texts[i]);
        const char *text = manifest_text(m);
        for (size_t length = 0; length < strlen(text); length++)
            assert_null(manifest_parse(text, length, "define", "/", &error));
        manifest_unref(&m);
    }
}

/* ---- defaults and ceilings ---- */

static struct job_options options;

static int apply(const char *rules, unsigned asked)
{
    char text[400];
    snprintf(text, sizeof text, "{\"command\":[\"a\"],%s}", rules);
    struct manifest *m = good(text);
    error.text[0] = '\0';
    int result = manifest_apply(m, asked, &options, &error);
    manifest_unref(&m);
    return result;
}

#define FIELD(member) offsetof(struct job_options, member), sizeof options.member

static const struct {
    const char *rules;
    unsigned bit;
    size_t field, size;
    int64_t asked, expected; /* asked -9: not; expected -9: refused */
} applied[] = {
    {"\"defaults\":{}", OPTION_TIMEOUT, FIELD(timeout_ms), -9, 0},
    {"\"defaults\":{\"timeout\":5}", OPTION_TIMEOUT, FIELD(timeout_ms), -9, 5000},
    {"\"defaults\":{\"timeout\":5}", OPTION_TIMEOUT, FIELD(timeout_ms), 9000, 9000},
    {"\"defaults\":{\"timeout\":5}", OPTION_TIMEOUT, FIELD(timeout_ms), 0, 0},
    {"\"ceilings\":{\"timeout\":60}", OPTION_TIMEOUT, FIELD(timeout_ms), -9, 60000},
    {"\"ceilings\":{\"timeout\":60}", OPTION_TIMEOUT, FIELD(timeout_ms), 60000, 60000},
    {"\"ceilings\":{\"timeout\":60}", OPTION_TIMEOUT, FIELD(timeout_ms), 1, 1},
    {"\"ceilings\":{\"timeout\":60}", OPTION_TIMEOUT, FIELD(timeout_ms), 60001, -9},
    {"\"ceilings\":{\"timeout\":60}", OPTION_TIMEOUT, FIELD(timeout_ms), 0, -9},
    {"\"ceilings\":{\"timeout\":60},\"defaults\":{\"timeout\":5}", OPTION_TIMEOUT, FIELD(timeout_ms), -9, 5000},
    {"\"ceilings\":{\"timeout\":60},\"defaults\":{\"timeout\":5}", OPTION_TIMEOUT, FIELD(timeout_ms), 6000, 6000},
    {"\"ceilings\":{\"max_attempts\":3}", OPTION_MAX_ATTEMPTS, FIELD(max_attempts), -9, 1},
    {"\"ceilings\":{\"max_attempts\":3}", OPTION_MAX_ATTEMPTS, FIELD(max_attempts), 3, 3},
    {"\"ceilings\":{\"max_attempts\":3}", OPTION_MAX_ATTEMPTS, FIELD(max_attempts), 4, -9},
    {"\"defaults\":{\"max_attempts\":3}", OPTION_MAX_ATTEMPTS, FIELD(max_attempts), -9, 3},
    {"\"ceilings\":{\"backoff\":0.5}", OPTION_BACKOFF, FIELD(backoff_ms), -9, 500},
    {"\"ceilings\":{\"backoff\":5}", OPTION_BACKOFF, FIELD(backoff_ms), -9, 1000},
    {"\"ceilings\":{\"backoff\":5}", OPTION_BACKOFF, FIELD(backoff_ms), 0, 0},
    {"\"ceilings\":{\"priority\":3}", OPTION_PRIORITY, FIELD(priority), -9, 3},
    {"\"ceilings\":{\"priority\":7}", OPTION_PRIORITY, FIELD(priority), -9, 5},
    {"\"ceilings\":{\"priority\":7}", OPTION_PRIORITY, FIELD(priority), 8, -9},
    {"\"ceilings\":{\"chunksize\":10}", OPTION_CHUNKSIZE, FIELD(chunksize), -9, 10},
    {"\"ceilings\":{\"chunksize\":10}", OPTION_CHUNKSIZE, FIELD(chunksize), 0, 10}, /* automatic is no demand */
    {"\"ceilings\":{\"chunksize\":10}", OPTION_CHUNKSIZE, FIELD(chunksize), 11, -9},
    {"\"defaults\":{\"chunksize\":7}", OPTION_CHUNKSIZE, FIELD(chunksize), 0, 0},
    {"\"ceilings\":{\"processes\":2}", OPTION_PROCESSES, FIELD(processes), -9, 2},
    {"\"ceilings\":{\"processes\":2}", OPTION_PROCESSES, FIELD(processes), 0, -9},
    {"\"ceilings\":{\"processes\":2}", OPTION_PROCESSES, FIELD(processes), 1, 1},
    {"\"ceilings\":{\"retention\":60}", OPTION_RETENTION, FIELD(retention_s), -9, 60},
    {"\"ceilings\":{\"retention\":60}", OPTION_RETENTION, FIELD(retention_s), 0, 0},
    {"\"ceilings\":{\"retention\":60}", OPTION_RETENTION, FIELD(retention_s), 61, -9},
    {"\"defaults\":{\"retention\":60}", OPTION_RETENTION, FIELD(retention_s), -9, 60},
    {"\"ceilings\":{\"isolation\":\"process\"}", OPTION_ISOLATION, FIELD(isolation), -9, ISOLATION_PROCESS},
    {"\"ceilings\":{\"isolation\":\"process\"}", OPTION_ISOLATION, FIELD(isolation), ISOLATION_POOL, -9},
    {"\"ceilings\":{\"isolation\":\"pool\"}", OPTION_ISOLATION, FIELD(isolation), ISOLATION_PROCESS, -9},
    {"\"ceilings\":{\"isolation\":\"pool\"}", OPTION_ISOLATION, FIELD(isolation), ISOLATION_POOL, ISOLATION_POOL},
    {"\"defaults\":{\"isolation\":\"process\"}", OPTION_ISOLATION, FIELD(isolation), -9, ISOLATION_PROCESS},
    {"\"ceilings\":{\"fail_fast\":true}", OPTION_FAIL_FAST, FIELD(fail_fast), -9, 1},
    {"\"ceilings\":{\"fail_fast\":true}", OPTION_FAIL_FAST, FIELD(fail_fast), 0, -9},
    {"\"defaults\":{\"fail_fast\":true}", OPTION_FAIL_FAST, FIELD(fail_fast), 0, 0},
};

static void defaults_and_ceilings_apply(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof applied / sizeof applied[0]; i++) {
        int64_t value = 0;
        options = job_options_default();
        void *field = (char *)&options + applied[i].field;
        if (applied[i].asked != -9)
            memcpy(field, &applied[i].asked, applied[i].size);
        int result = apply(applied[i].rules, applied[i].asked != -9 ? applied[i].bit : 0);
        memcpy(&value, field, applied[i].size);
        if (result != (applied[i].expected == -9 ? -1 : 0) || (result == 0 && value != applied[i].expected))
            fail_msg("%s, asked %lld: result %d (%s), value %lld, expected %lld", applied[i].rules,
                     (long long)applied[i].asked, result, error.text, (long long)value, (long long)applied[i].expected);
    }
}

static void refusals_say_option_value_and_ceiling(void **state)
{
    (void)state;
    options = job_options_default();
    options.timeout_ms = 120500;
    assert_int_equal(apply("\"ceilings\":{\"timeout\":60}", OPTION_TIMEOUT), -1);
    assert_string_equal(error.text, "timeout: 120.500 is above the ceiling, thumb allows at most 60");
    options.isolation = ISOLATION_PROCESS;
    assert_int_equal(apply("\"ceilings\":{\"isolation\":\"pool\"}", OPTION_ISOLATION), -1);
    assert_string_equal(error.text, "isolation: \"process\" is not possible, thumb allows only \"pool\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(an_exec_is_read_whole),
        cmocka_unit_test(files_are_absolute),
        cmocka_unit_test(what_is_left_out_has_its_default),
        cmocka_unit_test(runtimes_and_plugins_are_read),
        cmocka_unit_test(canonical_text_means_the_same),
        cmocka_unit_test(equal_manifests_have_equal_texts),
        cmocka_unit_test(canonical_paths_must_be_absolute),
        cmocka_unit_test(no_prefix_is_accepted),
        cmocka_unit_test(defaults_and_ceilings_apply),
        cmocka_unit_test(refusals_say_option_value_and_ceiling),
    };
    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}

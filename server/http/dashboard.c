/* The dashboard: `/` for who takes HTML, the files it is made of, and /docs. They hold no data, so no token is asked
 * for: the page asks for it, and sends it with what it asks of /v1. */
#include <microhttpd.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "dashboard/dashboard.h"
#include "http/handlers.h"

/* Nothing from elsewhere, nothing inline, no text that becomes markup or script, and in nobody's frame. */
static const char policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                             "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
                             "require-trusted-types-for 'script'; trusted-types 'none'";

static bool known_already(const struct request *r, const char *tag)
{
    const char *tags = r->heads.value[HEAD_IF_NONE_MATCH];
    return tags && (strcmp(tags, "*") == 0 || strstr(tags, tag));
}

static void answer_file(struct request *r, const struct dashboard_file *file)
{
    bool known = known_already(r, file->tag);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(known ? 0 : file->length, (void *)file->bytes, MHD_RESPMEM_PERSISTENT);
    if (!known)
        request_header(r, "Content-Type", file->type);
    request_header(r, "ETag", file->tag);
    request_header(r, "Cache-Control", "no-cache"); /* kept, but asked for each time: a 304, mostly */
    request_header(r, "Content-Security-Policy", policy);
    request_header(r, "Referrer-Policy", "no-referrer");
    request_answer_response(r, known ? 304 : 200, response);
}

void get_dashboard(struct request *r)
{
    const struct dashboard_file *file = dashboard_find(r->name);
    if (file)
        answer_file(r, file);
    else
        request_fail(r, PROBLEM_NOT_FOUND, "the dashboard has no such file");
}

bool dashboard_wanted(const struct request *r)
{
    return accept_html(r->heads.value[HEAD_ACCEPT]);
}

static void answer_page(struct request *r, const char *name)
{
    const struct dashboard_file *file = dashboard_find(name);
    CHECK(file, "the dashboard has no %s", name);
    answer_file(r, file);
}

void get_dashboard_page(struct request *r)
{
    answer_page(r, "index.html");
}

/* openapi.yaml for people (dashboard/docs). */
void get_docs(struct request *r)
{
    request_header(r, "Vary", "Accept");
    if (accept_page(r->heads.value[HEAD_ACCEPT]))
        answer_page(r, "docs.html");
    else
        request_fail(r, PROBLEM_NOT_ACCEPTABLE, "this is a page of text/html; /openapi.yaml is for programs");
}

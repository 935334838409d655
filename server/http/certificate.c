#include "http/certificate.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/fd.h"
#include "base/log.h"

enum { KEY_ID_SIZE = 64, DAY_S = 86400 };

/* The whole file, to be freed; NULL with the error. */
static char *read_file(const char *option, const char *file, gnutls_datum_t *datum, struct error *e)
{
    char *text = malloc(CHAIN_BYTES_MAX + 1);
    CHECK(text, "out of memory");
    ssize_t length = fd_read_file(file, text, CHAIN_BYTES_MAX + 1);
    if (length >= 0 && length < CHAIN_BYTES_MAX) {
        *datum = (gnutls_datum_t){(unsigned char *)text, (unsigned)length};
        return text;
    }
    error_set(e, "%s %s: %s", option, file, length < 0 ? strerror(errno) : "too large");
    free(text);
    return NULL;
}

static int read_times(struct certificate *c)
{
    gnutls_x509_crt_t first;
    int result = gnutls_pcert_export_x509(&c->chain[0], &first);
    if (result == 0) {
        c->begins = gnutls_x509_crt_get_activation_time(first);
        c->ends = gnutls_x509_crt_get_expiration_time(first);
        gnutls_x509_crt_deinit(first);
    }
    return result;
}

static int load_chain(struct certificate *c, const char *file, struct error *e)
{
    gnutls_datum_t datum;
    char *text = read_file("--tls-cert", file, &datum, e);
    if (!text)
        return -1;
    unsigned count = CHAIN_MAX;
    int result =
        gnutls_pcert_list_import_x509_raw(c->chain, &count, &datum, GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_SORT);
    free(text);
    c->count = result == 0 ? count : 0;
    if (result == 0)
        result = read_times(c);
    return result == 0 ? 0 : error_set(e, "--tls-cert %s: no certificate in PEM (%s)", file, gnutls_strerror(result));
}

static int load_key(struct certificate *c, const char *file, struct error *e)
{
    struct stat status;
    gnutls_datum_t datum;
    char *text = read_file("--tls-key", file, &datum, e);
    if (!text)
        return -1;
    c->exposed = stat(file, &status) == 0 && status.st_mode & (S_IROTH | S_IWOTH);
    int result = gnutls_privkey_import_x509_raw(c->key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
    explicit_bzero(text, datum.size);
    free(text);
    if (result == GNUTLS_E_DECRYPTION_FAILED)
        return error_set(e, "--tls-key %s: it is encrypted, and nobody is there to ask for the password", file);
    return result == 0 ? 0 : error_set(e, "--tls-key %s: no private key in PEM (%s)", file, gnutls_strerror(result));
}

static bool belong_together(const struct certificate *c)
{
    unsigned char of_key[KEY_ID_SIZE], of_chain[KEY_ID_SIZE];
    size_t key_size = sizeof of_key, chain_size = sizeof of_chain;
    gnutls_pubkey_t public;
    if (gnutls_pubkey_init(&public) != 0)
        return false;
    bool same = gnutls_pubkey_import_privkey(public, c->key, 0, 0) == 0 &&
                gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, of_key, &key_size) == 0 &&
                gnutls_pubkey_get_key_id(c->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, of_chain, &chain_size) == 0 &&
                key_size == chain_size && memcmp(of_key, of_chain, key_size) == 0;
    gnutls_pubkey_deinit(public);
    return same;
}

struct certificate *certificate_load(const char *cert_file, const char *key_file, struct error *e)
{
    struct certificate *c = calloc(1, sizeof *c);
    CHECK(c && gnutls_privkey_init(&c->key) == 0, "out of memory");
    c->references = 1;
    if (load_chain(c, cert_file, e) || load_key(c, key_file, e))
        certificate_unref(&c);
    else if (!belong_together(c)) {
        error_set(e, "--tls-key %s is not the key of the certificate in --tls-cert %s", key_file, cert_file);
        certificate_unref(&c);
    }
    return c;
}

struct certificate *certificate_ref(struct certificate *c)
{
    c->references++;
    return c;
}

void certificate_unref(struct certificate **certificate)
{
    struct certificate *c = *certificate;
    *certificate = NULL;
    if (!c || --c->references > 0)
        return;
    for (unsigned i = 0; i < c->count; i++)
        gnutls_pcert_deinit(&c->chain[i]);
    gnutls_privkey_deinit(c->key);
    free(c);
}

void certificate_log(const struct certificate *c)
{
    char until[32];
    struct tm tm;
    time_t now = time(NULL);
    strftime(until, sizeof until, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&c->ends, &tm));
    bool good = now >= c->begins && now < c->ends;
    log_event(good ? LOG_INFO : LOG_WARNING, "tls.certificate", "certificates=%u ends=%s days_left=%lld valid=%s",
              c->count, until, (long long)(c->ends - now) / DAY_S, log_bool(good));
    if (c->exposed)
        log_event(LOG_WARNING, "tls.key_exposed", "note=\"others may read the file of --tls-key: chmod 600\"");
}

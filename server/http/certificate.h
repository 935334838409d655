/* certificate: what --tls-cert and --tls-key hold, as the handshake needs it. Loading: any thread; references: one. */
#ifndef POOLD_HTTP_CERTIFICATE_H
#define POOLD_HTTP_CERTIFICATE_H

#include <gnutls/abstract.h>
#include <stdbool.h>
#include <time.h>

#include "base/error.h"

enum { CHAIN_MAX = 16, CHAIN_BYTES_MAX = 256 * 1024 };

struct certificate {
    unsigned references;
    gnutls_pcert_st chain[CHAIN_MAX]; /* the service's own first */
    unsigned count;
    gnutls_privkey_t key;
    time_t begins, ends;
    bool exposed; /* others than owner and group may read the key's file */
};

/* Reads both and sees that they belong together. NULL: *error names the option, the file and the reason. */
struct certificate *certificate_load(const char *cert_file, const char *key_file, struct error *);
struct certificate *certificate_ref(struct certificate *);
/* Sets NULL. */
void certificate_unref(struct certificate **);
/* Logs how long it is good for, and a warning for what an operator should mend. */
void certificate_log(const struct certificate *);

#endif

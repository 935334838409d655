/* certificate: a self-signed one for 127.0.0.1, so that it is its own authority. */
#ifndef POOLD_TESTS_CERTIFICATE_H
#define POOLD_TESTS_CERTIFICATE_H

/* Writes `cert` and `key` with the program openssl; what was there is replaced in one step each. Ends the test program
 * with 77 (skipped) when there is none. */
void certificate_make(const char *cert, const char *key);

#endif

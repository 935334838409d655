/* fuzz: what a target is. It is given bytes that anyone could have sent, and aborts (CHECK) when a promise is broken.
 * libFuzzer calls it under clang; replay_main.c does without. */
#ifndef POOLD_FUZZ_FUZZ_H
#define POOLD_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

#endif

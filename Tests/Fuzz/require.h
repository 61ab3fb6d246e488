/* What a fuzz target demands of the code, beyond not crashing. */
#ifndef APUS_FUZZ_REQUIRE_H
#define APUS_FUZZ_REQUIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the run, which libFuzzer reports with the input, where `condition` does not hold. */
static inline void require(bool condition, const char *words)
{
    if (condition)
        return;
    fprintf(stderr, "not true: %s\n", words);
    abort();
}

/* A copy in memory of exactly that size, so that AddressSanitizer sees the first byte read too many; to be freed. */
static inline uint8_t *copy_of(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    require(copy != NULL, "there is memory for a copy");
    memcpy(copy, data, len);
    return copy;
}

#endif

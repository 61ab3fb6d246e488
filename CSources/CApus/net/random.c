/* A key is handed out once and forgotten at once, so that what memory shows later tells no key of the past. */
#include "net/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

void apus__random_fill(uint8_t *data, size_t len)
{
    int error = uv_random(NULL, NULL, data, len, 0, NULL);
    if (error != 0) {
        fprintf(stderr, "apus: the system gives no random numbers: %s\n", uv_strerror(error));
        abort();
    }
}

apus_masking_key apus__random_key(apus_random *random)
{
    if (random->left == 0) {
        apus__random_fill((uint8_t *)random->keys, sizeof random->keys);
        random->left = APUS_RANDOM_KEYS;
    }
    apus_masking_key *place = &random->keys[--random->left];
    apus_masking_key key = *place;
    *place = 0;
    return key;
}

/* The definition of masking: byte i of the payload meets byte i modulo 4 of the key (RFC 6455 §5.3). */
#include <string.h>

#include "simd/kernels.h"
#include "simd/small.h"

void apus__mask_scalar(uint8_t *target, const uint8_t *source, size_t len, apus_masking_key key)
{
    uint64_t keys = apus__key_word8(key);
    size_t i = 0;
    for (; len - i >= sizeof keys; i += sizeof keys) {
        uint64_t word;
        memcpy(&word, source + i, sizeof word);
        word ^= keys;
        memcpy(target + i, &word, sizeof word);
    }
    uint8_t key_bytes[4];
    memcpy(key_bytes, &key, sizeof key_bytes);
    for (; i < len; i++)
        target[i] = source[i] ^ key_bytes[i % 4];
}

/* SHA-1 as FIPS 180-4 §6.1.2 states it. The message is in memory whole, so no state outlives the call. */
#include "apus/sha1.h"

#include <string.h>

#define BLOCK_SIZE 64
#define LENGTH_SIZE 8 /* the message's length in bits, at the end of the last block (§5.1.1) */

static uint32_t rotate_left(uint32_t word, unsigned count)
{
    return (word << count) | (word >> (32 - count));
}

static uint32_t read_be32(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

static void write_be32(uint8_t *data, uint32_t word)
{
    for (int i = 0; i < 4; i++)
        data[i] = (uint8_t)(word >> (24 - 8 * i));
}

/* The function f and the constant K of step `t`, added (§4.1.1, §4.2.1). */
static uint32_t mix(int t, uint32_t b, uint32_t c, uint32_t d)
{
    if (t < 20)
        return ((b & c) ^ (~b & d)) + 0x5a827999;
    if (t < 40)
        return (b ^ c ^ d) + 0x6ed9eba1;
    if (t < 60)
        return ((b & c) ^ (b & d) ^ (c & d)) + 0x8f1bbcdc;
    return (b ^ c ^ d) + 0xca62c1d6;
}

static void compress(uint32_t state[5], const uint8_t *block)
{
    uint32_t schedule[80];
    for (int t = 0; t < 16; t++)
        schedule[t] = read_be32(block + 4 * t);
    for (int t = 16; t < 80; t++)
        schedule[t] = rotate_left(schedule[t - 3] ^ schedule[t - 8] ^ schedule[t - 14] ^ schedule[t - 16], 1);

    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int t = 0; t < 80; t++) {
        uint32_t next = rotate_left(a, 5) + mix(t, b, c, d) + e + schedule[t];
        e = d;
        d = c;
        c = rotate_left(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

/* Compresses the last `rest` bytes with their padding: one bit 1, zeros, the length in bits (§5.1.1). */
static void compress_padded(uint32_t state[5], const uint8_t *data, size_t rest, uint64_t len)
{
    uint8_t padded[2 * BLOCK_SIZE] = {0};
    size_t size = rest + 1 + LENGTH_SIZE <= BLOCK_SIZE ? BLOCK_SIZE : 2 * BLOCK_SIZE;
    memcpy(padded, data, rest);
    padded[rest] = 0x80;
    write_be32(padded + size - 8, (uint32_t)(len >> 29));
    write_be32(padded + size - 4, (uint32_t)(len << 3));
    for (size_t at = 0; at < size; at += BLOCK_SIZE)
        compress(state, padded + at);
}

void apus_sha1(const uint8_t *data, size_t len, uint8_t digest[APUS_SHA1_SIZE])
{
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    size_t whole = len - len % BLOCK_SIZE;
    for (size_t at = 0; at < whole; at += BLOCK_SIZE)
        compress(state, data + at);
    compress_padded(state, data + whole, len - whole, len);
    for (int i = 0; i < 5; i++)
        write_be32(digest + 4 * i, state[i]);
}

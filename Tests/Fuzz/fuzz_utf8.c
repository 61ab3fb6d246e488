/* Fuzzes validation and the sweep fused with unmasking: every set of kernels, in one piece and in three, must say
 * what the plain automaton says of the whole, and must unmask what comes before the first invalid byte.
 *
 * Input: the masking key, two bytes that choose the cuts, and the masked text. Each piece lies in memory of exactly
 * its size, so that AddressSanitizer sees what reaches beyond. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "apus/mask.h"
#include "apus/simd.h"
#include "apus/utf8.h"
#include "simd/kernels.h"

#define HEADER_SIZE (sizeof(apus_masking_key) + 2)
#define PIECES 3

typedef struct input {
    apus_masking_key key;
    const uint8_t *masked;
    uint8_t *plain;
    size_t len;
    size_t ends[PIECES];
} input;

enum way { VALIDATE, UNMASK_IN_PLACE, UNMASK_INTO_COPY, WAYS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static uint8_t *copy_of(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len);
    require(copy != NULL || len == 0);
    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

/* Takes the piece from `start` to `end`, and checks what it left behind. */
static size_t take_piece(apus_utf8 *utf8, const input *in, size_t start, size_t end, enum way way)
{
    size_t len = end - start;
    uint8_t *source = copy_of((way == VALIDATE ? in->plain : in->masked) + start, len);
    uint8_t *target = way == UNMASK_INTO_COPY ? copy_of(source, len) : source;
    apus_masking_key key = apus_masking_key_advance(in->key, start);
    size_t valid =
        way == VALIDATE ? apus_utf8_validate(utf8, source, len) : apus_utf8_unmask(utf8, target, source, len, key);
    require(valid <= len);
    require(valid == 0 || memcmp(target, in->plain + start, valid) == 0);
    if (target != source) {
        require(len == 0 || memcmp(source, in->masked + start, len) == 0);
        free(target);
    }
    free(source);
    return valid;
}

/* Takes all pieces that end at `ends`, and compares the verdict. */
static void take(const input *in, const size_t *ends, size_t count, enum way way, size_t index, bool is_complete)
{
    apus_utf8 utf8;
    apus_utf8_init(&utf8);
    size_t start = 0;
    for (size_t i = 0; i < count; i++) {
        size_t valid = start + take_piece(&utf8, in, start, ends[i], way);
        if (valid < ends[i]) {
            require(valid == index);
            require(!apus_utf8_is_complete(&utf8));
            return;
        }
        start = valid;
    }
    require(start == index);
    require(apus_utf8_is_complete(&utf8) == is_complete);
}

static void compare_kernels(const input *in)
{
    apus_utf8 utf8;
    apus_utf8_init(&utf8);
    size_t index = apus__utf8_validate_scalar(&utf8, in->plain, in->len);
    bool is_complete = apus_utf8_is_complete(&utf8);

    for (int set = APUS_SIMD_SCALAR; set <= APUS_SIMD_NEON; set++) {
        if (!apus_simd_force((apus_simd)set))
            continue;
        for (int way = VALIDATE; way < WAYS; way++) {
            take(in, &in->len, 1, (enum way)way, index, is_complete);
            take(in, in->ends, PIECES, (enum way)way, index, is_complete);
        }
    }
}

/* The places where `len` bytes are cut: `a` and `b` of 255 parts of it, in order. */
static void choose_cuts(size_t *ends, size_t len, uint8_t a, uint8_t b)
{
    ends[0] = len * (a < b ? a : b) / 255;
    ends[1] = len * (a < b ? b : a) / 255;
    ends[2] = len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEADER_SIZE)
        return 0;
    input in = {.masked = data + HEADER_SIZE, .len = size - HEADER_SIZE};
    memcpy(&in.key, data, sizeof in.key);
    choose_cuts(in.ends, in.len, data[4], data[5]);
    in.plain = copy_of(in.masked, in.len);
    for (size_t i = 0; i < in.len; i++)
        in.plain[i] = in.masked[i] ^ data[i % sizeof in.key];
    compare_kernels(&in);
    free(in.plain);
    return 0;
}

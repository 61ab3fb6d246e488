/* The UTF-8 validation that all instruction sets share, alone or fused with unmasking; a vector_….h, included
 * before, says what a vector is.
 *
 * The lookups are those of John Keiser and Daniel Lemire, "Validating UTF-8 In Less Than One Instruction Per
 * Byte" (2021). They only tell that a block has an error; which byte it is, the automaton of utf8_scalar.c says. */
#ifndef APUS_SIMD_UTF8_TEMPLATE_H
#define APUS_SIMD_UTF8_TEMPLATE_H

#include "simd/small.h"
#include "simd/utf8_classes.h"
#include "simd/utf8_dfa.h"
#include "simd/vector_template.h"

#define BLOCK_SIZE 64
#define BLOCK_PARTS (BLOCK_SIZE / VECTOR_SIZE)

/* The vectors that a run of ASCII is tested by: enough to hide the test. */
#define STRIDE 4

/* The bytes that are tested for ASCII at once. */
typedef struct block {
    vector parts[BLOCK_PARTS];
} block;

/* One call: where the bytes come from and, if they are masked, go to; `plain` is where they lie unmasked then. */
typedef struct sweep {
    bool is_masked;
    apus_masking_key key;
    size_t len;
    uint8_t *target;
    const uint8_t *source, *plain;
} sweep;

APUS__INLINE KERNEL block load_block(const uint8_t *source)
{
    block b;
    for (int i = 0; i < BLOCK_PARTS; i++)
        b.parts[i] = load(source + i * VECTOR_SIZE);
    return b;
}

/* The block at `at`, unmasked and stored. */
APUS__INLINE KERNEL block take_block(const sweep *s, size_t at, vector keys)
{
    block b = load_block(s->source + at);
    if (!s->is_masked)
        return b;
    for (int i = 0; i < BLOCK_PARTS; i++) {
        b.parts[i] ^= keys;
        store(s->target + at + i * VECTOR_SIZE, b.parts[i]);
    }
    return b;
}

APUS__INLINE KERNEL bool is_ascii_block(const block *b)
{
    vector any = b->parts[0];
    for (int i = 1; i < BLOCK_PARTS; i++)
        any |= b->parts[i];
    return is_ascii(any);
}

/* Bytes that are not zero where `v`, which stands behind `before`, breaks RFC 3629. */
APUS__INLINE KERNEL vector find_errors(vector v, vector before)
{
    vector low_bits = repeat_byte(0x0F);
    vector first = BYTES_BEFORE(1, before, v);
    vector classes = look_up(repeat_table(first_high), first >> 4 & low_bits) &
                     look_up(repeat_table(first_low), first & low_bits) &
                     look_up(repeat_table(second_high), v >> 4 & low_bits);

    /* The third byte of E0.. and the third and fourth of F0.. must be tails, which is to say, such pairs of tails
     * as TWO_TAILS, the high bit, names; and there must be no others. */
    vector third = subtract(BYTES_BEFORE(2, before, v), repeat_byte(0xE0 - 0x80));
    vector fourth = subtract(BYTES_BEFORE(3, before, v), repeat_byte(0xF0 - 0x80));
    return classes ^ ((third | fourth) & repeat_byte(TWO_TAILS));
}

/* The index of the first block at `at` or behind that may not be ASCII or is too near the end to tell. */
APUS__INLINE KERNEL size_t skip_ascii(const sweep *s, size_t at, vector keys)
{
    for (; s->len - at >= STRIDE * VECTOR_SIZE; at += STRIDE * VECTOR_SIZE) {
        vector v[STRIDE], any = {0};
        for (int i = 0; i < STRIDE; i++) {
            v[i] = load(s->source + at + i * VECTOR_SIZE);
            if (s->is_masked)
                v[i] ^= keys;
            any |= v[i];
        }
        if (!is_ascii(any))
            break;
        if (s->is_masked)
            for (int i = 0; i < STRIDE; i++)
                store(s->target + at + i * VECTOR_SIZE, v[i]);
    }
    return at;
}

/* Whether `b`, which stands behind `before`, breaks RFC 3629. */
APUS__INLINE KERNEL bool has_error(const block *b, vector before)
{
    vector errors = find_errors(b->parts[0], before);
    for (int i = 1; i < BLOCK_PARTS; i++)
        errors |= find_errors(b->parts[i], b->parts[i - 1]);
    return !is_zero(errors);
}

/* Whether `v` ends inside a character: with a lead that wants more bytes than are left behind it. */
APUS__INLINE KERNEL bool ends_inside(vector v)
{
    return !is_zero(subtract(v, load(complete_ends + sizeof complete_ends - VECTOR_SIZE)));
}

/* The bytes from `at` on, too few for a block, unmasked and stored. Tells whether they are all ASCII; if not,
 * they stand in `b` with zeros behind. */
APUS__INLINE KERNEL bool take_rest(const sweep *s, size_t at, vector keys, block *b)
{
    size_t len = s->len - at;
#ifdef LOAD_FIRST
    b->parts[0] = LOAD_FIRST(len, s->source + at);
    if (s->is_masked) {
        b->parts[0] ^= keys & FIRST(len);
        apus__unmask_small(s->target + at, s->source + at, len, s->key);
    }
    return is_ascii_block(b);
#else
    (void)keys;
    if (s->is_masked ? apus__unmask_small(s->target + at, s->source + at, len, s->key)
                     : apus__is_ascii_small(s->source + at, len))
        return true;
    uint8_t padded[BLOCK_SIZE] = {0};
    apus__unmask_small(padded, s->plain + at, len, 0);
    *b = load_block(padded);
    return false;
#endif
}

/* Zeros for all but the first `len` bytes of `b`. */
APUS__INLINE KERNEL void truncate(block *b, size_t len)
{
    for (int i = 0; i < BLOCK_PARTS; i++)
        b->parts[i] &= load(ones_then_zeros + BLOCK_SIZE - len + i * VECTOR_SIZE);
}

/* The end of a sweep, from `at` on. What stands before is sound, but may, where `is_inside`, end inside a
 * character; `before` is its last vector. */
APUS__INLINE KERNEL size_t finish(apus_utf8 *utf8, const sweep *s, size_t at, vector keys, vector before,
                                  bool is_inside)
{
    block b;
    bool ascii = take_rest(s, at, keys, &b);
    if (ascii && !is_inside)
        return s->len;

    /* Zeros must not follow half a character: that one the automaton takes. Where nothing else is left, it also
     * takes the one that the blocks ended inside. */
    size_t end = ascii ? at : s->len - apus__utf8_unfinished(s->plain, s->len);
    if (end > at) {
        truncate(&b, end - at);
        if (has_error(&b, before))
            return apus__utf8_find_invalid(utf8, s->plain, at, end);
    } else {
        end = at - apus__utf8_unfinished(s->plain, at);
    }
    if (end == s->len)
        return end;
    return end + apus__utf8_validate_scalar(utf8, s->plain + end, s->len - end);
}

APUS__INLINE KERNEL size_t run_sweep(apus_utf8 *utf8, const sweep *s)
{
    vector keys = repeat_key(s->key), before = {0};
    bool is_inside = false;
    size_t at = 0;
    while (s->len - at >= BLOCK_SIZE) {
        block b = take_block(s, at, keys);
        if (is_ascii_block(&b) && !is_inside) {
            /* `before` is not the block before any more; but it ends at a character's border as well. */
            at = skip_ascii(s, at + BLOCK_SIZE, keys);
            continue;
        }
        if (has_error(&b, before))
            return apus__utf8_find_invalid(utf8, s->plain, at, at + BLOCK_SIZE);
        before = b.parts[BLOCK_PARTS - 1];
        is_inside = ends_inside(before);
        at += BLOCK_SIZE;
    }
    return finish(utf8, s, at, keys, before, is_inside);
}

APUS__INLINE KERNEL size_t validate(apus_utf8 *utf8, const uint8_t *data, size_t len)
{
    sweep s = {.len = len, .source = data, .plain = data};
    return run_sweep(utf8, &s);
}

APUS__INLINE KERNEL size_t unmask(apus_utf8 *utf8, uint8_t *target, const uint8_t *source, size_t len,
                                  apus_masking_key key)
{
    sweep s = {.is_masked = true, .key = key, .len = len, .target = target, .source = source, .plain = target};
    return run_sweep(utf8, &s);
}

#endif

/* A message's payload compressed as RFC 7692 §7.2.1 wants it: raw DEFLATE, flushed, without the last 00 00 FF FF. */
#ifndef APUS_DEFLATE_H
#define APUS_DEFLATE_H

#include <stddef.h>
#include <stdint.h>

#include "apus/bytes.h"
#include "apus/error.h"
#include "apus/extension.h"
#include "apus/inflater.h"
#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

/* The state of one that compresses. Level 1 is ISA-L's igzip: 117 KiB with any window. From level 2 on it is zlib: some
 * 2^(window bits + 3) bytes, thus 256 KiB with 15. */
typedef struct apus_deflater apus_deflater;

/* `level` from 1, the fastest, to 9, the smallest; window bits from APUS_WINDOW_BITS_LEAST_DEFLATE on. NULL when memory
 * is out. */
apus_deflater *_Nullable apus_deflater_new(int level, unsigned window_bits);

void apus_deflater_free(apus_deflater *_Nullable deflater);

/* Forgets the messages so far: the next one does not refer to them. */
void apus_deflater_reset(apus_deflater *deflater);

/* Appends a message's payload, compressed (RFC 7692 §7.2.1), to `out`. APUS_OK; or APUS_ENOMEM, after which `out` is as
 * it was, and the deflater reset. APUS_EINVAL is the same, where the ISA-L at run time is not the one at build time. */
int apus_deflater_compress(apus_deflater *deflater, const uint8_t *_Nullable data, size_t len, apus_bytes *out);

/* Counts of messages and bytes; may be read from other threads, each by itself. */
typedef struct apus_deflate_counts {
    uint64_t messages_inflated;
    uint64_t bytes_before_inflating;
    uint64_t bytes_inflated;
    uint64_t messages_deflated;
    uint64_t bytes_before_deflating;
    uint64_t bytes_deflated;
} apus_deflate_counts;

/* What the connections of one endpoint on one loop share, each only during a call or a message. All zero is empty. */
typedef struct apus_deflate_pool {
    apus_deflater *_Nullable deflaters[APUS_WINDOW_BITS_MOST + 1]; /* by window bits */
    apus_inflater *_Nullable inflater;
    apus_bytes buffer; /* the message compressed last */
    apus_deflate_counts counts;
} apus_deflate_pool;

/* Frees what the pool keeps, but for the counts. It may be used again. */
void apus_deflate_pool_clear(apus_deflate_pool *pool);

/* Compresses a message into `pool->buffer` without reference to any other. APUS_OK or APUS_ENOMEM. */
int apus_deflate_pool_compress(apus_deflate_pool *pool, int level, unsigned window_bits, const uint8_t *_Nullable data,
                               size_t len);

/* The same with a deflater of the caller's, which may refer to messages before. */
int apus_deflate_pool_compress_with(apus_deflate_pool *pool, apus_deflater *deflater, const uint8_t *_Nullable data,
                                    size_t len);

/* Lends an inflater of 15 window bits that has seen nothing; NULL when memory is out. */
apus_inflater *_Nullable apus_deflate_pool_take(apus_deflate_pool *pool);

/* Takes it back, in whatever state. */
void apus_deflate_pool_give(apus_deflate_pool *pool, apus_inflater *inflater);

APUS_ASSUME_NONNULL_END

#endif

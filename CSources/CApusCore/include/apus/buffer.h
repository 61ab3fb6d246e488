/* Bytes that several keep: a reference-counted buffer. The count may be changed from any thread; the bytes are
 * written only while one reference exists. */
#ifndef APUS_BUFFER_H
#define APUS_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "apus/alloc.h"
#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

typedef struct apus_buffer {
    uint32_t references; /* changed only through retain and release */
    size_t len;
    uint8_t data[];
} apus_buffer;

/* A buffer of `len` bytes, not yet written, with one reference; NULL when memory is out. */
apus_buffer *_Nullable apus_buffer_new(size_t len);

/* Adds a reference and returns `buffer`. */
static inline apus_buffer *apus_buffer_retain(apus_buffer *buffer)
{
    __atomic_fetch_add(&buffer->references, 1, __ATOMIC_RELAXED);
    return buffer;
}

/* Drops a reference; the last one frees. NULL is allowed. */
static inline void apus_buffer_release(apus_buffer *_Nullable buffer)
{
    /* Acquire-release: whoever frees must see what the other holders wrote and read. */
    if (buffer != NULL && __atomic_fetch_sub(&buffer->references, 1, __ATOMIC_ACQ_REL) == 1)
        apus_free(buffer);
}

APUS_ASSUME_NONNULL_END

#endif

/* The one door to the heap, so that it is counted (gauge.h) and a test can make any allocation fail. */
#ifndef APUS_ALLOC_H
#define APUS_ALLOC_H

#include <stddef.h>

#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

/* As malloc, calloc, realloc and free of the C library; NULL when memory is out. */
void *_Nullable apus_malloc(size_t size);
void *_Nullable apus_calloc(size_t count, size_t size);
void *_Nullable apus_realloc(void *_Nullable memory, size_t size);
void apus_free(void *_Nullable memory);

/* Large blocks, of APUS_LARGE_BLOCK bytes and more, which a thread may keep when it frees them, and hands out again.
 *
 * The C library gives large blocks back to the system, which hands out new ones with a page fault and zeros for each
 * 4 KiB: with messages of 1 MiB that cost more than all else together. */
#define APUS_LARGE_BLOCK ((size_t)64 * 1024)

/* Lets the calling thread keep up to `most` bytes of large blocks; at first it keeps none, and with 0 it gives back
 * those it has. Where a sanitizer watches the heap none are kept. A block is handed out for no less than half of its
 * size. */
void apus_alloc_keep(size_t most);

/* Gives back what the thread keeps, if nothing of it was handed out in the last `most` calls: for a clock to call. */
void apus_alloc_age(unsigned most);

/* A block of at least `size` bytes, and at most twice that, if the calling thread keeps one; else NULL. As memory of
 * apus_malloc. */
void *_Nullable apus_alloc_spare(size_t size);

/* How many bytes the calling thread keeps. */
size_t apus_alloc_kept(void);

/* For tests: makes the `nth` allocation of this thread from now on fail, once (1 is the next); 0 turns it off. */
void apus_alloc_fail(unsigned nth);

APUS_ASSUME_NONNULL_END

#endif

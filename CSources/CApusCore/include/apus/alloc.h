/* The one door to the heap, so that a test can make any allocation fail. */
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

/* For tests: makes the `nth` allocation of this thread from now on fail, once (1 is the next); 0 turns it off. */
void apus_alloc_fail(unsigned nth);

APUS_ASSUME_NONNULL_END

#endif

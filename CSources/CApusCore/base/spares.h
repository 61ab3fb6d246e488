/* The large blocks that a thread keeps, for alloc.c. */
#ifndef APUS_BASE_SPARES_H
#define APUS_BASE_SPARES_H

#include <stdbool.h>
#include <stddef.h>

/* The bytes that a block of the heap has room for. */
size_t apus__block_size(const void *memory);

/* What the C library takes beside those bytes. */
#define APUS__BLOCK_OVERHEAD sizeof(size_t)

/* Gives a block of `size` usable bytes back to the C library, and counts that. */
void apus__block_free(void *memory, size_t size);

/* A block of at least `size` bytes, and of no more than twice that; NULL where none is kept. */
void *apus__spares_take(size_t size);

/* Whether a block is such a one for `size` bytes. False in a thread that keeps none. */
bool apus__spares_fits(const void *memory, size_t size);

/* Keeps a block of `size` usable bytes that would be freed, in the place of older ones where there is no room. False
 * where it is to be freed: it is small, or larger than all that may be kept. */
bool apus__spares_put(void *memory, size_t size);

#endif

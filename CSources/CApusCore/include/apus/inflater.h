/* A message's payload inflated, as RFC 7692 §7.2.2 wants it: in whatever pieces it comes, and never beyond a limit. */
#ifndef APUS_INFLATER_H
#define APUS_INFLATER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/bytes.h"
#include "apus/error.h"
#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

/* zlib's state of one that inflates: some 7 KiB, and the window, once there is something to keep in it. */
typedef struct apus_inflater apus_inflater;

/* Window bits from APUS_WINDOW_BITS_LEAST on: what is kept to refer to. That a message refers to more than its sender
 * may is not always found out. NULL when memory is out. */
apus_inflater *_Nullable apus_inflater_new(unsigned window_bits);

void apus_inflater_free(apus_inflater *_Nullable inflater);

/* Forgets the messages so far. */
void apus_inflater_reset(apus_inflater *inflater);

/* Inflates the next `len` bytes of a message behind what `out` holds of it, up to `limit` bytes in all. Memory grows
 * with what is inflated, to the limit and no further. A block with BFINAL set may be followed by others (§7.2.3.4).
 *
 * Returns APUS_OK, APUS_ETOOBIG (the limit is reached, and more would come), APUS_EINFLATE or APUS_ENOMEM. After an
 * error `out` holds what was inflated before it, and the inflater can only be reset or freed. */
int apus_inflater_write(apus_inflater *inflater, const uint8_t *_Nullable data, size_t len, uint64_t limit,
                        apus_bytes *out);

/* Ends the message (§7.2.2: with the 00 00 FF FF that its sender has left out). As apus_inflater_write; APUS_EINFLATE
 * also where the message ends inside a block. */
int apus_inflater_end(apus_inflater *inflater, uint64_t limit, apus_bytes *out);

APUS_ASSUME_NONNULL_END

#endif

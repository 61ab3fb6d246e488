/* Content in chunks (RFC 9112 §7.1): bytes in, the content among them out, in place.
 *
 * Strict, because where two readers disagree on the end of the content, one takes for a request what the other takes
 * for content (§11.2): each line ends in CRLF, a size is hexadecimal digits alone, trailers look like fields.
 * Extensions and trailers are checked for their form, and dropped (§7.1.1, §7.1.2). */
#ifndef APUS_CHUNKED_H
#define APUS_CHUNKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/error.h"
#include "apus/head.h"
#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

/* The most bytes of extensions and trailers together, over all of the content. */
#define APUS_CHUNKED_MOST_EXTRA 8192

/* The most digits of a chunk's size, leading zeros included: as many as 64 bits take. */
#define APUS_CHUNKED_MOST_DIGITS 16

/* All zero is the start. */
typedef struct apus_chunked {
    uint64_t left;  /* bytes of the present chunk that are to come */
    uint32_t extra; /* bytes of extensions and trailers so far */
    uint8_t digits; /* of the present size */
    uint8_t state;
} apus_chunked;

/* Reads on, up to the end of the first piece of content in `data`, which is then the last of the bytes taken. `piece`
 * points into `data`; it is empty where none of the bytes taken is content.
 *
 * Returns how many bytes were taken: 0 where `len` is, and where the content has ended; else at least 1. APUS_ECHUNK as
 * soon as the byte that breaks the form, or a limit, has come; asking again finds the same. */
ptrdiff_t apus_chunked_read(apus_chunked *chunked, const uint8_t *data, size_t len, apus_text *piece);

/* Whether the last byte of the content, the LF behind the trailers, has been taken. */
bool apus_chunked_is_finished(const apus_chunked *chunked);

APUS_ASSUME_NONNULL_END

#endif

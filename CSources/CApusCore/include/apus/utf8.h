/* UTF-8 validation (RFC 3629) over a stream of pieces: surrogates, overlong forms and code points above
 * U+10FFFF are errors, and so is each byte as soon as no continuation could make it right. */
#ifndef APUS_UTF8_H
#define APUS_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/macros.h"
#include "apus/mask.h"

APUS_ASSUME_NONNULL_BEGIN

/* What a character that the last piece left unfinished still needs. All zero is the start. */
typedef struct apus_utf8 {
    uint8_t state;
} apus_utf8;

/* Starts at a character's border. */
void apus_utf8_init(apus_utf8 *utf8);

/* Continues with `len` bytes. Returns `len`, or the index of the first byte that cannot be right, after which
 * `utf8` is spent. */
size_t apus_utf8_validate(apus_utf8 *utf8, const uint8_t *data, size_t len);

/* apus_mask and apus_utf8_validate (of what was unmasked) in one sweep. Up to the index returned all is unmasked;
 * what lies behind an invalid byte may or may not be. */
size_t apus_utf8_unmask(apus_utf8 *utf8, uint8_t *target, const uint8_t *source, size_t len, apus_masking_key key);

/* The same for a whole text of at most APUS_UTF8_SMALL bytes, in place. False where it is not valid; then its bytes are
 * as they were. */
#define APUS_UTF8_SMALL 125
bool apus_utf8_unmask_small(uint8_t *text, size_t len, apus_masking_key key);

/* Whether what came so far ends at a character's border. */
bool apus_utf8_is_complete(const apus_utf8 *utf8);

APUS_ASSUME_NONNULL_END

#endif

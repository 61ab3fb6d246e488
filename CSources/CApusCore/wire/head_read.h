/* What reading a request head and reading a response head have in common (RFC 9112 §2.3, §5, §6). */
#ifndef APUS_WIRE_HEAD_READ_H
#define APUS_WIRE_HEAD_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "apus/head.h"

APUS_ASSUME_NONNULL_BEGIN

/* What is left to read. */
typedef struct apus__reader {
    const uint8_t *at;
    const uint8_t *end;
} apus__reader;

/* Takes bytes of `class`, one or more, and the byte `stop` that must follow them. */
bool apus__read_until(apus__reader *in, unsigned class, char stop, apus_text *out);

/* Takes a line's end. */
bool apus__read_crlf(apus__reader *in);

/* Takes HTTP-version (RFC 9112 §2.3): APUS_EHEAD for what is of another form, and only then APUS_EHTTPVERSION. The
 * byte behind it is the caller's to judge. */
int apus__read_version(apus__reader *in, uint8_t *minor_version);

/* Takes the fields and the empty line, which must be the last. APUS_OK, APUS_EHEAD or APUS_EHEADCOUNT. */
int apus__read_fields(apus__reader *in, apus_head *out);

/* Finds out how the fields frame the content (RFC 9112 §6.3), and whether the connection persists (§9.3). APUS_OK, or
 * APUS_EHEAD: any two opinions about the framing are one too many. */
int apus__read_framing(apus_head *out);

APUS_ASSUME_NONNULL_END

#endif

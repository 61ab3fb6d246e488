/* The head of an HTTP/1.1 response (RFC 9112 §4), read strictly, as a client meets it. */
#ifndef APUS_RESPONSE_HEAD_H
#define APUS_RESPONSE_HEAD_H

#include <stddef.h>
#include <stdint.h>

#include "apus/head.h"
#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

typedef struct apus_response {
    unsigned status;  /* 100 to 999 */
    apus_text reason; /* the reason phrase; perhaps empty */
    apus_head head;   /* the fields, and how they frame the content; method and target are empty */
} apus_response;

/* Reads a response head of `len` bytes as `apus_head_scan` found it. `out` points into `data`.
 *
 * Returns APUS_OK, APUS_EHTTPVERSION, or APUS_ERESPONSE for what is no status line followed by fields and the empty
 * line, for more fields than APUS_HEAD_MOST_FIELDS, and for fields that do not agree about where the content ends.
 * After an error `out` means nothing. */
int apus_response_parse(apus_response *out, const uint8_t *data, size_t len);

APUS_ASSUME_NONNULL_END

#endif

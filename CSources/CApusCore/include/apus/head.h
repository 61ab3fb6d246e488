/* The head of an HTTP/1.1 message (RFC 9112 §2–§5): found incrementally, read strictly, written safely.
 *
 * Finding and reading are two steps, so that a connection keeps six bytes while a head arrives in pieces and every
 * byte is looked at once per step however it is cut: `apus_head_scan` finds the end and refuses at once what can never
 * become a head; `apus_head_parse` then reads the whole head in place. */
#ifndef APUS_HEAD_H
#define APUS_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/bytes.h"
#include "apus/error.h"
#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

/* The most fields a head may have, whatever the configured limit. */
#define APUS_HEAD_MOST_FIELDS 100

/* The most bytes of a head where nothing else is configured. */
#define APUS_HEAD_DEFAULT_SIZE (16 * 1024)

/* All zero is the defaults. */
typedef struct apus_head_limits {
    uint32_t size;   /* bytes, from the first of the start line to the last of the empty line; 0 is the default */
    uint32_t fields; /* 0, and whatever is more, is APUS_HEAD_MOST_FIELDS */
} apus_head_limits;

/* How far a head has been searched for its end. All zero is the start. */
typedef struct apus_head_scanner {
    uint32_t scanned; /* bytes */
    uint16_t lines;   /* field lines begun */
    uint8_t state;
} apus_head_scanner;

/* Looks on for the end of the head in `data`, which holds all `len` bytes since the head's first one (it may have
 * moved since the last call, and have grown).
 *
 * Returns the head's size once its last byte is there, 0 for more, or an error as soon as the byte that breaks it has
 * come: APUS_EHEAD (a bare CR or LF, a control character or NUL, a line that does not begin with a token, so also a
 * leading empty line, white space and obs-fold), APUS_EHEADCOUNT (the first byte of a field too many), or
 * APUS_EHEADSIZE (the head is not over at the limit's last byte: a buffer of the limit's size is always enough).
 * Requests and responses alike; asking again after the end or an error finds the same. */
ptrdiff_t apus_head_scan(apus_head_scanner *scanner, const uint8_t *data, size_t len, const apus_head_limits *limits);

/* A piece of the head, in place; not terminated. */
typedef struct apus_text {
    const char *data;
    size_t len;
} apus_text;

typedef struct apus_field {
    apus_text name;  /* a token, as it came */
    apus_text value; /* without the white space around it */
} apus_field;

typedef struct apus_head {
    apus_text all;    /* the head itself */
    apus_text method; /* a token; names are case-sensitive */
    apus_text target; /* of the form that goes with the method (RFC 9112 §3.2), as it came: visible ASCII, no "#" */
    uint8_t minor_version;   /* 0 or 1, of HTTP/1 */
    bool keep_alive;         /* RFC 9112 §9.3: from the version and Connection */
    bool has_content;        /* Transfer-Encoding, or a Content-Length other than 0 */
    bool is_chunked;         /* Transfer-Encoding is "chunked" and no other coding, which would be a 501 */
    uint64_t content_length; /* 0 where there is none */
    size_t field_count;
    apus_field fields[APUS_HEAD_MOST_FIELDS];
} apus_head;

/* The fields' address, for Swift, which sees the array inside the struct as a tuple. */
static inline const apus_field *apus_head_fields(const apus_head *head)
{
    return head->fields;
}

/* Reads a request head of `len` bytes as `apus_head_scan` found it. `out` points into `data`.
 *
 * Returns APUS_OK, APUS_EHEAD (no obs-fold, no space before the colon, names are tokens, Content-Length is one
 * number, not both Content-Length and Transfer-Encoding, the latter ends with "chunked" and is not in HTTP/1.0),
 * APUS_EHEADCOUNT, APUS_EHTTPVERSION, or APUS_EHOST (HTTP/1.1 without exactly one well-formed Host, HTTP/1.0 with
 * several or a malformed one). After an error `out` means nothing. */
int apus_head_parse(apus_head *out, const uint8_t *data, size_t len);

/* The first field of that name (any case), or NULL. `name` is lower case. */
const apus_field *_Nullable apus_head_find(const apus_head *head, const char *name);

/* How many fields have that name. */
size_t apus_head_count(const apus_head *head, const char *name);

/* Whether the comma-separated lists (RFC 9110 §5.6.1) in all fields of that name hold `token`; any case. */
bool apus_head_has_token(const apus_head *head, const char *name, const char *token);

/* Whether the two texts are equal but for the case of ASCII letters. `lower` is lower case, zero-terminated. */
bool apus_text_equals(apus_text text, const char *lower);

/* Appends "HTTP/1.1 STATUS Reason\r\n"; the reason is the registered phrase, empty for a status without one.
 * APUS_OK, or, writing nothing, APUS_EFIELD for a status outside 100...999, or APUS_ENOMEM. */
int apus_head_write_status(apus_bytes *out, unsigned status);

/* Appends "name: value\r\n". APUS_OK, or, writing nothing, APUS_ENOMEM, or APUS_EFIELD where `name` is no token or
 * `value` holds a control character other than a tab, or white space at either end. */
int apus_head_write_field(apus_bytes *out, apus_text name, apus_text value);

/* Appends "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" for the seconds since 1970 (RFC 9110 §5.6.7), in these words
 * whatever the locale. APUS_OK, or, writing nothing, APUS_ENOMEM, or APUS_EFIELD outside the years 1 to 9999. */
int apus_head_write_date(apus_bytes *out, int64_t seconds);

APUS_ASSUME_NONNULL_END

#endif

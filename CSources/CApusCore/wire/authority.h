/* Host and port of a URI's authority (RFC 3986 §3.2), as Host, Origin and request targets carry them: no userinfo. */
#ifndef APUS_WIRE_AUTHORITY_H
#define APUS_WIRE_AUTHORITY_H

#include <stdbool.h>
#include <stdint.h>

#include "apus/head.h"

APUS_ASSUME_NONNULL_BEGIN

#define APUS__NO_PORT (-1)

typedef struct apus__authority {
    apus_text host; /* never empty; an IPv6 address with its brackets */
    int32_t port;   /* 0 to 65535, or APUS__NO_PORT where none is given, be it after a colon */
} apus__authority;

/* Reads all of `text`. False where it is not a host, or a host and a port, or where anything follows. */
bool apus__authority_parse(apus__authority *out, apus_text text);

/* Finds the "://" of an absolute URI: the scheme before it, and the authority after it, up to its end. */
bool apus__uri_split(apus_text uri, apus_text *scheme, apus_text *authority);

APUS_ASSUME_NONNULL_END

#endif

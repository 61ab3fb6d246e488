/* The header of the PROXY protocol, with which a proxy that forwards bytes tells whose they are: version 1 (a line of
 * text) and 2 (binary), as https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt has them.
 *
 * A header is short, so it is read anew from its first byte each time more have come, and nothing is kept. */
#ifndef APUS_PROXY_H
#define APUS_PROXY_H

#include <stddef.h>
#include <stdint.h>

#include "apus/error.h"
#include "apus/head.h"
#include "apus/ip.h"
#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

/* The most bytes of a header; version 1 has at most 107 of them, version 2 more by what else the proxy tells. */
#define APUS_PROXY_MOST_SIZE 4096

typedef enum apus_proxy_kind {
    APUS_PROXY_LOCAL,   /* LOCAL: the proxy speaks for itself */
    APUS_PROXY_UNKNOWN, /* UNKNOWN, UNSPEC: for somebody, but it cannot tell whom */
    APUS_PROXY_IP,
    APUS_PROXY_UNIX,
} apus_proxy_kind;

typedef struct apus_proxy_header {
    apus_proxy_kind kind;
    apus_ip source; /* the client; with APUS_PROXY_IP */
    apus_ip destination;
    uint16_t source_port;
    uint16_t destination_port;
    apus_text source_path; /* with APUS_PROXY_UNIX; points into the header, not terminated */
} apus_proxy_header;

/* Reads the header at the start of `data`, which holds all `len` bytes since the first one.
 *
 * Returns its size once its last byte is there, 0 for more, or APUS_EPROXY as soon as the byte that breaks it has come,
 * or the length that passes APUS_PROXY_MOST_SIZE. What else version 2 tells (TLVs) is checked for its form and passed
 * over. */
ptrdiff_t apus_proxy_read(apus_proxy_header *out, const uint8_t *data, size_t len);

APUS_ASSUME_NONNULL_END

#endif

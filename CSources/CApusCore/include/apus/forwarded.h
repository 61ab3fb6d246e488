/* What reverse proxies tell in fields of a request: who the client is, and what it asked for. `Forwarded` (RFC 7239),
 * or the older `X-Forwarded-For`, `-Proto` and `-Host`.
 *
 * Anybody can send such fields. Each proxy adds its word on the right, so they are believed from the right on, for as
 * long as the word is that of a proxy one trusts: the first address that is none of theirs is the client's, and
 * whatever stands left of it is hearsay. Which of the two forms the proxies set has to be known: the other one passes
 * through them as the client wrote it. */
#ifndef APUS_FORWARDED_H
#define APUS_FORWARDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/error.h"
#include "apus/head.h"
#include "apus/ip.h"
#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

typedef enum apus_forwarding {
    APUS_FORWARDING_NONE, /* the proxies set none of these fields */
    APUS_FORWARDING_X,    /* X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host */
    APUS_FORWARDING_RFC7239,
} apus_forwarding;

typedef enum apus_scheme { APUS_SCHEME_UNKNOWN, APUS_SCHEME_HTTP, APUS_SCHEME_HTTPS } apus_scheme;

/* What the client's proxy told; each part may be missing. */
typedef struct apus_forwarded {
    apus_ip client; /* with `has_client` */
    uint16_t port;  /* of the client; 0 where it was not told */
    bool has_client;
    apus_scheme scheme; /* that the client used */
    apus_text host;     /* that the client asked for: a valid host, perhaps with a port; empty where it was not told */
} apus_forwarded;

/* Reads the fields of a request that a trusted proxy has sent. `out` points into the head.
 *
 * APUS_OK, or APUS_EFORWARDED: a field that no proxy writes (not of RFC 7239's grammar, or a host that is none). Such a
 * request is refused: a client that spoils the field must not appear as the proxy itself. */
int apus_forwarded_read(apus_forwarded *out, const apus_head *head, apus_forwarding forwarding,
                        const apus_ip_range *_Nullable trusted, size_t count);

/* As apus_handshake_is_same_origin, for a request that came through a proxy: its host and port are the forwarded ones
 * where they were told, and so is its scheme, which is then compared too. */
bool apus_forwarded_is_same_origin(const apus_forwarded *forwarded, const apus_head *head);

APUS_ASSUME_NONNULL_END

#endif

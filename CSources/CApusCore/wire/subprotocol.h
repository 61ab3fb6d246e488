/* The subprotocols that a client offers (RFC 6455 §1.9, §4.1 item 10). */
#ifndef APUS_WIRE_SUBPROTOCOL_H
#define APUS_WIRE_SUBPROTOCOL_H

#include <stdbool.h>

#include "apus/head.h"

APUS_ASSUME_NONNULL_BEGIN

/* Whether the offer is none at all, or one to APUS_HANDSHAKE_MOST_SUBPROTOCOLS tokens, no two of them the same. */
bool apus__subprotocols_are_valid(const apus_head *head);

APUS_ASSUME_NONNULL_END

#endif

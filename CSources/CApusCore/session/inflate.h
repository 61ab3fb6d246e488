/* The payload of compressed messages on its way in (RFC 7692 §7.2.2). */
#ifndef APUS_SESSION_INFLATE_H
#define APUS_SESSION_INFLATE_H

#include "apus/session.h"

/* Unmasks the next `len` bytes of the message under way in place, inflates them behind its payload, and validates what
 * came of them. APUS_OK, APUS_EUTF8, APUS_ETOOBIG, APUS_EINFLATE or APUS_ENOMEM. */
int apus__session_inflate(apus_session *session, uint8_t *data, size_t len);

/* The message's last byte has come. The same results; that a text ends at a character's border is not checked. */
int apus__session_end_inflating(apus_session *session);

#endif

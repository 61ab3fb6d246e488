/* What a session does by itself: answer pings and closes, and end on a failure. */
#ifndef APUS_CONTROL_H
#define APUS_CONTROL_H

#include "apus/session.h"

/* Fails the connection (RFC 6455 §7.1.7): the state is CLOSED, `out` tells the error and holds the Close to send. */
void apus__session_fail(apus_session *session, int error, apus_event *out);

/* Acts on a whole control frame, unmasked. */
void apus__session_handle_control(apus_session *session, apus_opcode opcode, uint8_t *payload, size_t len,
                                  apus_event *out);

#endif

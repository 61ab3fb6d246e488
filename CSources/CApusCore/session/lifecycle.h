/* The one mover of a session's state. */
#ifndef APUS_LIFECYCLE_H
#define APUS_LIFECYCLE_H

#include "apus/session.h"

/* Moves to `next`; a move that the table does not hold is a bug here and stops a debug build. */
void apus__session_set_state(apus_session *session, apus_state next);

#endif

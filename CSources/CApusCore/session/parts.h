/* Messages that are given out as their bytes come (apus_session_give_parts). */
#ifndef APUS_SESSION_PARTS_H
#define APUS_SESSION_PARTS_H

#include "apus/session.h"

/* Takes what is there of the payload under way, and gives it out; returns the number of bytes taken. */
size_t apus__session_receive_part(apus_session *session, uint8_t *data, size_t len, apus_event *out);

#endif

/* The states of RFC 6455 §4 to §7 and the moves between them (drawn in apus/session.h). */
#include "session/lifecycle.h"

#include <assert.h>

#define BIT(state) (1 << (state))

static const uint8_t next_states[] = {
    [APUS_STATE_CONNECTING] = BIT(APUS_STATE_OPEN) | BIT(APUS_STATE_CLOSED),
    [APUS_STATE_OPEN] = BIT(APUS_STATE_CLOSING) | BIT(APUS_STATE_CLOSED),
    [APUS_STATE_CLOSING] = BIT(APUS_STATE_CLOSED),
    [APUS_STATE_CLOSED] = 0,
};

void apus__session_set_state(apus_session *session, apus_state next)
{
    assert(next_states[session->state] & BIT(next));
    (void)next_states;
    session->state = (uint8_t)next;
    session->small_end = 0; /* whoever opens the short way again looks at the state */
}

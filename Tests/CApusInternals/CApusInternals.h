/* Headers of CApus that are not public, for tests in Swift. */
#ifndef CAPUS_INTERNALS_H
#define CAPUS_INTERNALS_H

#include "../../CSources/CApus/net/allowance.h"
#include "../../CSources/CApus/net/clock.h"
#include "../../CSources/CApus/net/connect.h"
#include "../../CSources/CApus/net/listen.h"
#include "../../CSources/CApus/net/outbox.h"
#include "../../CSources/CApus/net/pipe.h"
#include "../../CSources/CApus/net/random.h"
#include "../../CSources/CApus/net/uv_loop.h"
#include "../../CSources/CApus/net/wheel.h"
#include "../../CSources/CApus/server/charge.h"
#include "../../CSources/CApus/server/fragments.h"

/* Of server/trim.h, the same. */
typedef struct apus_trim {
    size_t peak;
} apus_trim;
bool apus__trim_is_due(apus_trim *trim, size_t used);

/* Of server/slow.h, whose connection is no more than declared here. */
void apus__slow_note_sent(apus_connection *connection);

/* Of net/loop.h, which includes what only its own target finds. */
bool apus__loop_is_ticking(const apus_loop *loop);
void apus__loop_again(apus_loop *loop);

#endif

/* The closing handshake from the peer's side, and the end of connections when their endpoint stops. */
#ifndef APUS_SERVER_CLOSING_H
#define APUS_SERVER_CLOSING_H

#include "server/connection.h"

/* A Close came. It is answered at once, unless the application still works on messages that came before it. */
void apus__closing_receive(apus_connection *connection, const apus_event *event);

/* Answers the peer's Close, if its answer waits, and tells the application the end. */
void apus__closing_answer(apus_connection *connection);

/* The ending that the peer's Close tells, while its answer waits; `ending` otherwise. */
apus_ending apus__closing_ending(const apus_connection *connection, const apus_ending *ending);

#endif

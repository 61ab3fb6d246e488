/* Messages that nobody has taken so far. */
#ifndef APUS_SERVER_WAITING_H
#define APUS_SERVER_WAITING_H

#include "apus/connection.h"

/* Keeps a message behind the others: the session's own memory where it came in pieces, else a copy. Where memory is out
 * the connection is dropped. */
void apus__waiting_keep(apus_connection *connection, const apus_incoming *message);

/* The first message, which stays until apus__waiting_forget_taken; false where there is none. */
bool apus__waiting_take(apus_connection *connection, apus_incoming *out);

/* Frees the message that was taken, if one was. */
void apus__waiting_forget_taken(apus_connection *connection);

/* Undoes apus__waiting_take. */
void apus__waiting_put_back(apus_connection *connection);

/* Frees all of them. */
void apus__waiting_forget(apus_connection *connection);

#endif

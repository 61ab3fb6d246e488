/* What a connection costs, for the code that watches over the memory of the whole server. */
#ifndef APUS_SERVER_CHARGE_H
#define APUS_SERVER_CHARGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/connection.h"

/* The bytes of memory that the connection holds for its peer: what is to be sent, in full even where others share it,
 * and what has come and was not taken. */
size_t apus__connection_charge(const apus_connection *connection);

/* For tests: the bytes that the peer has acknowledged. */
uint64_t apus__connection_acknowledged(const apus_connection *connection);

/* For tests: whether the peer still has to acknowledge something. */
bool apus__connection_is_outstanding(const apus_connection *connection);

#endif

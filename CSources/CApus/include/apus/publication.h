/* Messages on their way to many: framed once, into one counted buffer, and, where it is one alone, compressed at most
 * once for each size of window that the connections have agreed on. A topic makes such a thing of whatever it is given;
 * made beforehand, it also goes to connections that no topic names. */
#ifndef APUS_PUBLICATION_H
#define APUS_PUBLICATION_H

#include <stddef.h>

#include "apus/connection.h"
#include "apus/error.h"
#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

typedef struct apus_publication apus_publication;

/* A copy of messages that nothing may come between, at least one; with one reference. NULL when memory is out. From any
 * thread, as are these two. */
apus_publication *_Nullable apus_publication_new(const apus_outgoing *messages, size_t count);

apus_publication *apus_publication_retain(apus_publication *publication);
void apus_publication_release(apus_publication *publication);

/* Sends it to one connection, which must be a server's, as a topic would: where it does not fit, the policy for slow
 * consumers decides. On the connection's loop. */
void apus_publication_send(apus_publication *publication, apus_connection *connection);

APUS_ASSUME_NONNULL_END

#endif

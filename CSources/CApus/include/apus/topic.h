/* A topic: whoever subscribes gets what is published. A message is framed once, into one counted buffer, and compressed
 * at most once for each size of window that subscribers have agreed on; each loop gets one pointer and walks the
 * subscribers of its own. */
#ifndef APUS_TOPIC_H
#define APUS_TOPIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/connection.h"
#include "apus/error.h"
#include "apus/frame.h"
#include "apus/loop.h"
#include "apus/macros.h"
#include "apus/publication.h"

APUS_ASSUME_NONNULL_BEGIN

typedef struct apus_topic apus_topic;

/* A topic over `count` loops, which outlive it, with one reference; NULL when memory is out. */
apus_topic *_Nullable apus_topic_new(apus_loop *_Nonnull const *_Nonnull loops, size_t count);

apus_topic *apus_topic_retain(apus_topic *topic);
void apus_topic_release(apus_topic *topic);

/* Subscribes an open connection until it ends; on its loop. Subscribing twice is subscribing once. What was published
 * before does not arrive, be it still on its way to the loop.
 * APUS_OK, APUS_ECLOSED, APUS_EINVAL (the connection's loop is none of the topic's, or it is a client's), or
 * APUS_ENOMEM. */
int apus_topic_subscribe(apus_topic *topic, apus_connection *connection);

/* Ends a subscription, if there is one; on the connection's loop. */
void apus_topic_unsubscribe(apus_topic *topic, apus_connection *connection);

/* Sends a message to every subscriber but the connection with the id `except` (0: to all). From any thread; what one
 * thread publishes arrives in order. A text must be UTF-8. APUS_OK or APUS_ENOMEM. */
int apus_topic_publish(apus_topic *topic, apus_opcode opcode, const uint8_t *_Nullable data, size_t len,
                       uint64_t except);

/* Sends what was framed beforehand; else as apus_topic_publish. */
int apus_topic_share(apus_topic *topic, apus_publication *publication, uint64_t except);

/* How many connections are subscribed; from any thread. */
size_t apus_topic_subscribers(const apus_topic *topic);

APUS_ASSUME_NONNULL_END

#endif

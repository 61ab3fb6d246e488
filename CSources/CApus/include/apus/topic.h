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
#include "apus/publish_wait.h"

APUS_ASSUME_NONNULL_BEGIN

typedef struct apus_topic apus_topic;

/* A topic over `count` loops, which outlive it, with one reference; NULL when memory is out. */
apus_topic *_Nullable apus_topic_new(apus_loop *_Nonnull const *_Nonnull loops, size_t count);

apus_topic *apus_topic_retain(apus_topic *topic);
void apus_topic_release(apus_topic *topic);

/* Lets each subscription hold a reference to `owner`, too. Before the first subscription. */
void apus_topic_set_owner(apus_topic *topic, void *owner, void (*retain)(void *owner), void (*release)(void *owner));

/* Subscribes an open connection until it ends; on its loop. Subscribing twice is subscribing once. What was published
 * before does not arrive, even if it is still on its way to the loop.
 * APUS_OK, APUS_ECLOSED, APUS_EINVAL (the connection's loop is none of the topic's, or it is a client's), or
 * APUS_ENOMEM. */
int apus_topic_subscribe(apus_topic *topic, apus_connection *connection);

/* Ends a subscription, if there is one; on the connection's loop. */
void apus_topic_unsubscribe(apus_topic *topic, apus_connection *connection);

/* Sends a message to every subscriber except the connection with the id `except` (0: to all). From any thread; what one
 * thread publishes arrives in order. A text must be UTF-8.
 * APUS_OK; APUS_EFULL if some loop with subscribers has no room for it (apus_loop_limits) or APUS_ENOMEM, and then
 * nothing was sent to anybody. */
int apus_topic_publish(apus_topic *topic, apus_opcode opcode, const uint8_t *_Nullable data, size_t len,
                       uint64_t except);

/* Sends what was framed beforehand; otherwise as apus_topic_publish. `wait` has had its call, or has never waited, and
 * takes its turn with this; without one, those who wait come first. */
int apus_topic_share(apus_topic *topic, apus_publication *publication, uint64_t except,
                     const apus_publish_wait *_Nullable wait);

/* After APUS_EFULL: waits until it is worth trying again with `wait`, which is then called. Returns false, and calls
 * nobody, if it is worth it already. From any thread; others wait their turn behind it. */
bool apus_topic_wait(apus_topic *topic, const apus_publication *publication, apus_publish_wait *wait);

/* How many connections are subscribed; from any thread. */
size_t apus_topic_subscribers(const apus_topic *topic);

APUS_ASSUME_NONNULL_END

#endif

/* An intrusive, doubly linked list: a node inside each member, a head that is a node itself. Never allocates. */
#ifndef APUS_QUEUE_H
#define APUS_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

typedef struct apus_queue {
    struct apus_queue *_Nullable next;
    struct apus_queue *_Nullable previous;
} apus_queue;

/* The member of type `type` whose field `field` is the node at `node`. */
#define APUS_QUEUE_MEMBER(node, type, field) ((type *)(void *)((char *)(node)-offsetof(type, field)))

/* Makes a head (empty) or a node (in no queue). */
static inline void apus_queue_init(apus_queue *queue)
{
    queue->next = queue;
    queue->previous = queue;
}

static inline bool apus_queue_is_empty(const apus_queue *queue)
{
    return queue->next == queue;
}

/* Puts `node`, which is in no queue, at the end. */
static inline void apus_queue_append(apus_queue *queue, apus_queue *node)
{
    node->next = queue;
    node->previous = queue->previous;
    queue->previous->next = node;
    queue->previous = node;
}

/* Takes `node` out of its queue; harmless where it is in none. */
static inline void apus_queue_remove(apus_queue *node)
{
    node->next->previous = node->previous;
    node->previous->next = node->next;
    apus_queue_init(node);
}

/* Takes the first node out; NULL when there is none. */
static inline apus_queue *_Nullable apus_queue_take(apus_queue *queue)
{
    apus_queue *node = queue->next;
    if (node == queue)
        return NULL;
    apus_queue_remove(node);
    return node;
}

/* Moves all of `from` into the empty head `to`, in order. */
static inline void apus_queue_move(apus_queue *from, apus_queue *to)
{
    if (apus_queue_is_empty(from)) {
        apus_queue_init(to);
        return;
    }
    *to = *from;
    to->next->previous = to;
    to->previous->next = to;
    apus_queue_init(from);
}

APUS_ASSUME_NONNULL_END

#endif

/* A topic has one branch a loop: a list of subscribers that only this loop touches. */
#include "apus/topic.h"

#include <string.h>

#include "apus/alloc.h"
#include "server/connection.h"
#include "server/frames.h"
#include "server/publication.h"

#define FIRST_CAPACITY 4

typedef struct apus_branch {
    apus_loop *loop;
    apus_subscription **subscriptions;
    size_t count; /* read by other threads: is there anybody? */
    size_t capacity;
    uint64_t newest; /* the latest `since` of its subscriptions, be they ended */
} apus_branch;

struct apus_topic {
    uint64_t published; /* how many messages, in the order of their numbers */
    uint32_t references;
    bool is_compressed; /* by some subscriber, at present or before */
    size_t branch_count;
    apus_branch branches[];
};

struct apus_subscription {
    apus_topic *topic;
    apus_branch *branch;
    apus_connection *connection;
    apus_subscription *next; /* of the connection's */
    size_t index;            /* in the branch */
    uint64_t since;          /* the last message that was published before it began */
};

/* A message on its way to another loop. */
typedef struct delivery {
    apus_topic *topic;
    apus_branch *branch;
    apus_buffer *frame;            /* NULL where there is a publication */
    apus_publication *publication; /* where some subscriber compresses, or there are several messages */
    uint64_t except;
    uint64_t number;
} delivery;

apus_topic *apus_topic_new(apus_loop *const *loops, size_t count)
{
    apus_topic *topic = apus_calloc(1, sizeof *topic + count * sizeof topic->branches[0]);
    if (topic == NULL)
        return NULL;
    topic->references = 1;
    topic->branch_count = count;
    for (size_t i = 0; i < count; i++)
        topic->branches[i].loop = loops[i];
    return topic;
}

apus_topic *apus_topic_retain(apus_topic *topic)
{
    __atomic_fetch_add(&topic->references, 1, __ATOMIC_RELAXED);
    return topic;
}

void apus_topic_release(apus_topic *topic)
{
    if (__atomic_fetch_sub(&topic->references, 1, __ATOMIC_ACQ_REL) != 1)
        return;
    /* A subscription holds a reference, so the branches are empty. */
    for (size_t i = 0; i < topic->branch_count; i++)
        apus_free(topic->branches[i].subscriptions);
    apus_free(topic);
}

static apus_branch *find_branch(apus_topic *topic, const apus_loop *loop)
{
    for (size_t i = 0; i < topic->branch_count; i++) {
        if (topic->branches[i].loop == loop)
            return &topic->branches[i];
    }
    return NULL;
}

/* The place that holds the connection's subscription to the topic, or the end of its list. */
static apus_subscription **find_subscription(apus_connection *connection, const apus_topic *topic)
{
    apus_subscription **place = &connection->subscriptions;
    while (*place != NULL && (*place)->topic != topic)
        place = &(*place)->next;
    return place;
}

static void set_count(apus_branch *branch, size_t count)
{
    __atomic_store_n(&branch->count, count, __ATOMIC_RELAXED);
}

static int make_room(apus_branch *branch)
{
    if (branch->count < branch->capacity)
        return APUS_OK;
    size_t capacity = branch->capacity == 0 ? FIRST_CAPACITY : branch->capacity * 2;
    apus_subscription **grown = apus_realloc(branch->subscriptions, capacity * sizeof *grown);
    if (grown == NULL)
        return APUS_ENOMEM;
    branch->subscriptions = grown;
    branch->capacity = capacity;
    return APUS_OK;
}

int apus_topic_subscribe(apus_topic *topic, apus_connection *connection)
{
    if (connection->phase != PHASE_OPEN || connection->has_ended)
        return APUS_ECLOSED;
    apus_branch *branch = find_branch(topic, connection->stream.loop);
    /* A topic's frames are a server's: shared by all, and not masked. */
    if (branch == NULL || connection->endpoint->config->session.role == APUS_ROLE_CLIENT)
        return APUS_EINVAL;
    apus_subscription **place = find_subscription(connection, topic);
    if (*place != NULL)
        return APUS_OK;
    int error = make_room(branch);
    if (error != APUS_OK)
        return error;
    apus_subscription *subscription = apus_malloc(sizeof *subscription);
    if (subscription == NULL)
        return APUS_ENOMEM;
    *subscription = (apus_subscription){
        .topic = apus_topic_retain(topic), .branch = branch, .connection = connection, .index = branch->count};
    subscription->since = __atomic_load_n(&topic->published, __ATOMIC_ACQUIRE);
    branch->newest = subscription->since > branch->newest ? subscription->since : branch->newest;
    if (connection->session.compression != NULL)
        __atomic_store_n(&topic->is_compressed, true, __ATOMIC_RELAXED);
    branch->subscriptions[branch->count] = subscription;
    set_count(branch, branch->count + 1);
    *place = subscription;
    return APUS_OK;
}

/* Takes a subscription out of its connection's list and its branch; the branch's last one fills the hole. */
static void end_subscription(apus_subscription **place)
{
    apus_subscription *subscription = *place;
    apus_branch *branch = subscription->branch;
    *place = subscription->next;
    apus_subscription *last = branch->subscriptions[branch->count - 1];
    branch->subscriptions[subscription->index] = last;
    last->index = subscription->index;
    set_count(branch, branch->count - 1);
    apus_topic_release(subscription->topic);
    apus_free(subscription);
}

void apus_topic_unsubscribe(apus_topic *topic, apus_connection *connection)
{
    apus_subscription **place = find_subscription(connection, topic);
    if (*place != NULL)
        end_subscription(place);
}

void apus__topic_unsubscribe_all(apus_connection *connection)
{
    while (connection->subscriptions != NULL)
        end_subscription(&connection->subscriptions);
}

/* Queues the frame for every subscriber of one loop, from the last to the first: one that is too slow may end here, if
 * its own Close was waiting to be read, and the last one, which then takes its place, has been served. */
static void deliver(apus_branch *branch, apus_buffer *frame, apus_publication *publication, uint64_t except,
                    uint64_t number)
{
    bool is_late = number <= branch->newest;
    for (size_t i = branch->count; i-- != 0;) {
        apus_connection *connection = branch->subscriptions[i]->connection;
        if (connection->id == except || (is_late && branch->subscriptions[i]->since >= number))
            continue;
        if (publication == NULL)
            apus__connection_share(connection, frame, 1);
        else
            apus_publication_send(publication, connection);
    }
}

static void on_delivery(void *argument)
{
    delivery *message = argument;
    deliver(message->branch, message->frame, message->publication, message->except, message->number);
    if (message->publication != NULL)
        apus_publication_release(message->publication);
    apus_buffer_release(message->frame);
    apus_topic_release(message->topic);
    apus_free(message);
}

static int post(apus_topic *topic, apus_branch *branch, apus_buffer *frame, apus_publication *publication,
                uint64_t except, uint64_t number)
{
    delivery *message = apus_malloc(sizeof *message);
    if (message == NULL)
        return APUS_ENOMEM;
    *message = (delivery){
        .topic = apus_topic_retain(topic),
        .branch = branch,
        .frame = frame == NULL ? NULL : apus_buffer_retain(frame),
        .publication = publication == NULL ? NULL : apus_publication_retain(publication),
        .except = except,
        .number = number,
    };
    apus_loop_post(branch->loop, on_delivery, message);
    return APUS_OK;
}

/* Sends either a frame or a publication to all loops that have subscribers. */
static int send_to_all(apus_topic *topic, apus_buffer *frame, apus_publication *publication, uint64_t except)
{
    int error = APUS_OK;
    uint64_t number = __atomic_add_fetch(&topic->published, 1, __ATOMIC_ACQ_REL);
    for (size_t i = 0; i < topic->branch_count && error == APUS_OK; i++) {
        apus_branch *branch = &topic->branches[i];
        if (__atomic_load_n(&branch->count, __ATOMIC_RELAXED) == 0)
            continue;
        if (apus_loop_is_current(branch->loop))
            deliver(branch, frame, publication, except, number);
        else
            error = post(topic, branch, frame, publication, except, number);
    }
    return error;
}

int apus_topic_publish(apus_topic *topic, apus_opcode opcode, const uint8_t *data, size_t len, uint64_t except)
{
    apus_buffer *frame = apus__frames_new(opcode, false, data, len);
    if (frame == NULL)
        return APUS_ENOMEM;
    /* Whoever subscribes and compresses from now on gets the message as it is, which is right as well. */
    if (!__atomic_load_n(&topic->is_compressed, __ATOMIC_RELAXED)) {
        int error = send_to_all(topic, frame, NULL, except);
        apus_buffer_release(frame);
        return error;
    }
    apus_publication *publication = apus__publication_new(frame, opcode, data, len);
    apus_buffer_release(frame);
    if (publication == NULL)
        return APUS_ENOMEM;
    int error = send_to_all(topic, NULL, publication, except);
    apus_publication_release(publication);
    return error;
}

int apus_topic_share(apus_topic *topic, apus_publication *publication, uint64_t except)
{
    return send_to_all(topic, NULL, publication, except);
}

size_t apus_topic_subscribers(const apus_topic *topic)
{
    size_t count = 0;
    for (size_t i = 0; i < topic->branch_count; i++)
        count += __atomic_load_n(&topic->branches[i].count, __ATOMIC_RELAXED);
    return count;
}

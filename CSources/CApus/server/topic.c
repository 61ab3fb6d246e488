/* A topic has one branch a loop: a list of subscribers that only this loop touches. */
#include "server/topic.h"

#include "apus/alloc.h"

#define FIRST_CAPACITY 4

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

void apus_topic_set_owner(apus_topic *topic, void *owner, void (*retain)(void *owner), void (*release)(void *owner))
{
    topic->owner = owner;
    topic->retain = retain;
    topic->release = release;
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
    if (topic->owner != NULL)
        topic->retain(topic->owner);
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
    apus_topic *topic = subscription->topic;
    apus_free(subscription);
    /* The owner, which holds the topic, may go with this; the reference to the topic comes last. */
    if (topic->owner != NULL)
        topic->release(topic->owner);
    apus_topic_release(topic);
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

size_t apus_topic_subscribers(const apus_topic *topic)
{
    size_t count = 0;
    for (size_t i = 0; i < topic->branch_count; i++)
        count += apus__branch_count(&topic->branches[i]);
    return count;
}

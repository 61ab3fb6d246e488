/* A publication takes room on all loops that have subscribers, then it gets its number, then it is handed to each of
 * them: everywhere or nowhere. No lock is held between these steps, so loops that publish to one another while both are
 * full do not wait for each other. */
#include "apus/alloc.h"
#include "net/loop.h"
#include "server/connection.h"
#include "server/frames.h"
#include "server/publication.h"
#include "server/topic.h"

/* What is published: a frame, or a publication if some subscriber compresses or there are several messages. */
typedef struct message {
    apus_buffer *frame;            /* NULL if there is a publication */
    apus_publication *publication; /* NULL if there is a frame */
    uint64_t except;
    size_t len;    /* bytes for each subscriber */
    size_t memory; /* bytes that it takes while it is on its way */
} message;

/* A message on its way to another loop. */
typedef struct delivery {
    struct delivery *next; /* until it is posted: of the same publication */
    apus_topic *topic;
    apus_branch *branch;
    message message;
    uint64_t number;
    uint64_t deliveries; /* that room was taken for */
} delivery;

/* What a publication needs before it can be numbered. */
typedef struct plan {
    delivery *others; /* to other loops */
    apus_branch *own; /* NULL if nobody on this thread's loop subscribes */
    uint64_t own_deliveries;
} plan;

/* Queues the message for every subscriber of one loop, from the last to the first: if one ends meanwhile, the last one,
 * which then takes its place, has been served. */
static void deliver(apus_branch *branch, const message *message, uint64_t number)
{
    bool is_late = number <= branch->newest;
    for (size_t i = branch->count; i-- != 0;) {
        apus_connection *connection = branch->subscriptions[i]->connection;
        if (connection->id == message->except || (is_late && branch->subscriptions[i]->since >= number))
            continue;
        if (message->publication == NULL)
            apus__connection_share(connection, message->frame, 1);
        else
            apus_publication_send(message->publication, connection);
    }
}

/* What a delivery takes in the inbox of its loop. */
static uint64_t memory_of(const message *message)
{
    return message->memory + sizeof(delivery) + sizeof(apus_posted);
}

static void free_delivery(delivery *delivery)
{
    if (delivery->message.publication != NULL)
        apus_publication_release(delivery->message.publication);
    apus_buffer_release(delivery->message.frame);
    apus_topic_release(delivery->topic);
    apus_free(delivery);
}

static void on_delivery(void *argument)
{
    delivery *arrived = argument;
    apus_loop *loop = arrived->branch->loop;
    uint64_t deliveries = arrived->deliveries, memory = memory_of(&arrived->message);
    apus__inbox_delivered(loop, deliveries, deliveries * arrived->message.len);
    deliver(arrived->branch, &arrived->message, arrived->number);
    free_delivery(arrived);
    apus__allowance_give_back(&loop->inbox.room, deliveries, memory);
}

static void give_up(plan *plan, const message *message)
{
    for (delivery *next; plan->others != NULL; plan->others = next) {
        delivery *refused = plan->others;
        next = refused->next;
        apus__allowance_give_back(&refused->branch->loop->inbox.room, refused->deliveries,
                                  memory_of(&refused->message));
        free_delivery(refused);
    }
    if (plan->own != NULL)
        apus__allowance_give_back(&plan->own->loop->turn_room, plan->own_deliveries,
                                  plan->own_deliveries * message->len);
}

static int plan_own(plan *plan, apus_branch *branch, const message *message, const apus_publish_wait *wait)
{
    uint64_t deliveries = branch->count;
    if (!apus__allowance_take(&branch->loop->turn_room, deliveries, deliveries * message->len, wait))
        return APUS_EFULL;
    plan->own = branch;
    plan->own_deliveries = deliveries;
    return APUS_OK;
}

static int plan_other(plan *plan, apus_topic *topic, apus_branch *branch, uint64_t deliveries, const message *message,
                      const apus_publish_wait *wait)
{
    apus_allowance *room = &branch->loop->inbox.room;
    if (!apus__allowance_take(room, deliveries, memory_of(message), wait))
        return APUS_EFULL;
    delivery *fresh = apus_malloc(sizeof *fresh);
    if (fresh == NULL) {
        apus__allowance_give_back(room, deliveries, memory_of(message));
        return APUS_ENOMEM;
    }
    *fresh = (delivery){
        .next = plan->others,
        .topic = apus_topic_retain(topic),
        .branch = branch,
        .message = *message,
        .deliveries = deliveries,
    };
    if (message->frame != NULL)
        apus_buffer_retain(message->frame);
    if (message->publication != NULL)
        apus_publication_retain(message->publication);
    plan->others = fresh;
    return APUS_OK;
}

/* Takes room wherever there are subscribers. */
static int make_plan(plan *plan, apus_topic *topic, const message *message, const apus_publish_wait *wait)
{
    for (size_t i = 0; i < topic->branch_count; i++) {
        apus_branch *branch = &topic->branches[i];
        size_t count = apus__branch_count(branch);
        if (count == 0)
            continue;
        int error = apus_loop_is_current(branch->loop) ? plan_own(plan, branch, message, wait)
                                                       : plan_other(plan, topic, branch, count, message, wait);
        if (error != APUS_OK)
            return error;
    }
    return APUS_OK;
}

static int publish(apus_topic *topic, const message *message, const apus_publish_wait *wait)
{
    plan plan = {0};
    int error = make_plan(&plan, topic, message, wait);
    if (APUS_UNLIKELY(error != APUS_OK)) {
        give_up(&plan, message);
        return error;
    }
    uint64_t number = __atomic_add_fetch(&topic->published, 1, __ATOMIC_ACQ_REL);
    /* First to the others: what callbacks publish while this is delivered here comes later there, too. */
    for (delivery *next, *each = plan.others; each != NULL; each = next) {
        next = each->next;
        each->number = number;
        apus_loop_post(each->branch->loop, on_delivery, each);
    }
    if (plan.own != NULL)
        deliver(plan.own, message, number);
    return APUS_OK;
}

static message message_of(apus_publication *publication, uint64_t except)
{
    return (message){
        .publication = publication,
        .except = except,
        .len = apus__publication_len(publication),
        .memory = apus__publication_memory(publication),
    };
}

int apus_topic_publish(apus_topic *topic, apus_opcode opcode, const uint8_t *data, size_t len, uint64_t except)
{
    apus_buffer *frame = apus__frames_new(opcode, false, data, len);
    if (frame == NULL)
        return APUS_ENOMEM;
    /* One that subscribes and compresses from now on gets the message uncompressed, which is correct as well. */
    if (!__atomic_load_n(&topic->is_compressed, __ATOMIC_RELAXED)) {
        message plain = {
            .frame = frame, .except = except, .len = frame->len, .memory = sizeof(apus_buffer) + frame->len};
        int error = publish(topic, &plain, NULL);
        apus_buffer_release(frame);
        return error;
    }
    apus_publication *publication = apus__publication_new(frame, opcode, data, len);
    apus_buffer_release(frame);
    if (publication == NULL)
        return APUS_ENOMEM;
    int error = apus_topic_share(topic, publication, except, NULL);
    apus_publication_release(publication);
    return error;
}

int apus_topic_share(apus_topic *topic, apus_publication *publication, uint64_t except, const apus_publish_wait *wait)
{
    message message = message_of(publication, except);
    int error = publish(topic, &message, wait);
    /* It was called because there was room there; if it has not used it, the next one may. */
    if (wait != NULL && wait->allowance != NULL)
        apus__allowance_resume(wait->allowance);
    return error;
}

bool apus_topic_wait(apus_topic *topic, const apus_publication *publication, apus_publish_wait *wait)
{
    message message = message_of((apus_publication *)(uintptr_t)publication, 0);
    for (size_t i = 0; i < topic->branch_count; i++) {
        apus_branch *branch = &topic->branches[i];
        size_t count = apus__branch_count(branch);
        if (count == 0)
            continue;
        bool is_own = apus_loop_is_current(branch->loop);
        apus_allowance *room = is_own ? &branch->loop->turn_room : &branch->loop->inbox.room;
        uint64_t bytes = is_own ? count * message.len : memory_of(&message);
        bool is_next = wait->ticket != 0 || !apus__allowance_is_awaited(room);
        if (is_next && apus__allowance_has_room(room, count, bytes))
            continue;
        if (apus__allowance_wait(room, wait, count, bytes))
            return true;
    }
    return false;
}

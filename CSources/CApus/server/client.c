/* A client as an endpoint: its masking keys, its openings under way, and its end. */
#include "server/client.h"

#include <string.h>

#include "apus/alloc.h"
#include "net/random.h"

void apus_client_config_init(apus_client_config *config)
{
    *config = (apus_client_config){.connect_timeout = 10000, .body_limit = 16 << 10};
    apus_endpoint_config_init(&config->endpoint, APUS_ROLE_CLIENT);
}

static apus_masking_key make_key(void *context)
{
    return apus__random_key(context);
}

int apus__client_set_keys(apus_session_config *config, apus_loop *loop)
{
    if (loop->random == NULL)
        loop->random = apus_calloc(1, sizeof *loop->random);
    if (loop->random == NULL)
        return APUS_ENOMEM;
    config->make_key = make_key;
    config->context = loop->random;
    return APUS_OK;
}

static void free_if_done(apus_client *client)
{
    if (client->on_stop == NULL || client->busy != 0 || !apus_queue_is_empty(&client->openings) ||
        !apus_queue_is_empty(&client->endpoint.connections))
        return;
    client->on_stop(client->stop_context, &client->endpoint.statistics);
    apus__endpoint_deinit(&client->endpoint);
    apus_free(client);
}

void apus__client_forget(apus_client *client)
{
    free_if_done(client);
}

static void on_forget(apus_endpoint *endpoint)
{
    APUS_COUNT(endpoint->statistics.connections_now, -1);
    free_if_done(APUS_QUEUE_MEMBER(endpoint, apus_client, endpoint));
}

int apus_client_open(apus_client **out, apus_loop *loop, const apus_client_config *config, void *context)
{
    apus_client *client = apus_calloc(1, sizeof *client);
    if (client == NULL)
        return APUS_ENOMEM;
    client->config = *config;
    if (apus__client_set_keys(&client->config.endpoint.session, loop) != APUS_OK) {
        apus_free(client);
        return APUS_ENOMEM;
    }
    apus_queue_init(&client->openings);
    apus__endpoint_init(&client->endpoint, loop, &client->config.endpoint, context);
    client->endpoint.on_forget = on_forget;
    *out = client;
    return APUS_OK;
}

int apus_client_connect(apus_client *client, const apus_destination *destination, void *context, apus_opening **out)
{
    if (client->endpoint.is_stopping)
        return APUS_ECLOSED;
    apus_opening *opening = apus_calloc(1, sizeof *opening);
    if (opening == NULL)
        return APUS_ENOMEM;
    opening->client = client;
    opening->context = context;
    apus_queue_append(&client->openings, &opening->node);
    int error = apus__opening_start(opening, destination);
    if (error != APUS_OK) {
        apus__opening_free(opening);
        return error;
    }
    *out = opening;
    return APUS_OK;
}

void apus_client_stop(apus_client *client, void (*on_stop)(void *context, const apus_statistics *statistics),
                      void *context)
{
    client->endpoint.is_stopping = true;
    while (!apus_queue_is_empty(&client->openings)) {
        apus_opening *opening = APUS_QUEUE_MEMBER(client->openings.next, apus_opening, node);
        apus__opening_fail(opening, &(apus_failure){.error = APUS_ECLOSED, .cause = ""});
    }
    apus__endpoint_stop(&client->endpoint);
    client->on_stop = on_stop;
    client->stop_context = context;
    free_if_done(client);
}

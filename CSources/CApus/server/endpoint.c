/* What a listener and a client do alike: defaults, and the end of all connections. */
#include "server/endpoint.h"

#include "server/connection.h"

void apus_endpoint_config_init(apus_endpoint_config *config, apus_role role)
{
    *config = (apus_endpoint_config){
        .session = {.role = role, .limits = {.size = 1 << 20, .fragments = 4096}},
        .head = {.size = APUS_HEAD_DEFAULT_SIZE, .fields = APUS_HEAD_MOST_FIELDS},
        .handshake_timeout = 10000,
        .keep_alive_timeout = 75000,
        .upgrade_timeout = 10000,
        .departure_interval = 1000,
        .body_limit = 1 << 20,
        .body_timeout = 30000,
        .body_rate = 240,
        .ping_interval = 30000,
        .pings_missed = 2,
        .close_timeout = 5000,
        .inbound_limit = 64 << 10,
        .outbound_limit = 1 << 20,
        .burst_limit = 16 << 20,
        .slow_consumer_lag = 2000,
        .least_rate = 1024,
        .stall_timeout = 60000,
        .slow_consumer = APUS_SLOW_CONSUMER_SUSPEND,
        .stop_code = APUS_CLOSE_GOING_AWAY,
    };
    apus_compression_config_init(&config->compression);
}

void apus__endpoint_init(apus_endpoint *endpoint, apus_loop *loop, const apus_endpoint_config *config, void *context)
{
    endpoint->loop = loop;
    endpoint->config = config;
    endpoint->context = context;
    endpoint->tls = config->tls == NULL ? NULL : apus_tls_context_retain(config->tls);
    apus_queue_init(&endpoint->connections);
}

void apus__endpoint_add_statistics(const apus_endpoint *endpoint, apus_statistics *out)
{
    const apus_deflate_counts *counts = &endpoint->pool.counts;
#define X(name, words) out->name += __atomic_load_n(&endpoint->statistics.name, __ATOMIC_RELAXED);
    APUS_STATISTICS_MAP(X)
#undef X
    out->messages_inflated += __atomic_load_n(&counts->messages_inflated, __ATOMIC_RELAXED);
    out->bytes_before_inflating += __atomic_load_n(&counts->bytes_before_inflating, __ATOMIC_RELAXED);
    out->bytes_inflated += __atomic_load_n(&counts->bytes_inflated, __ATOMIC_RELAXED);
    out->messages_deflated += __atomic_load_n(&counts->messages_deflated, __ATOMIC_RELAXED);
    out->bytes_before_deflating += __atomic_load_n(&counts->bytes_before_deflating, __ATOMIC_RELAXED);
    out->bytes_deflated += __atomic_load_n(&counts->bytes_deflated, __ATOMIC_RELAXED);
}

void apus__endpoint_deinit(apus_endpoint *endpoint)
{
    apus_tls_context_release(endpoint->tls);
}

void apus__endpoint_stop(apus_endpoint *endpoint)
{
    endpoint->is_stopping = true;
    apus_queue *node = endpoint->connections.next;
    while (node != &endpoint->connections) {
        apus_connection *connection = APUS_QUEUE_MEMBER(node, apus_connection, node);
        node = node->next;
        apus__connection_stop(connection);
    }
}

void apus__endpoint_drop(apus_endpoint *endpoint)
{
    apus_queue *node = endpoint->connections.next;
    while (node != &endpoint->connections) {
        apus_connection *connection = APUS_QUEUE_MEMBER(node, apus_connection, node);
        node = node->next;
        apus__connection_drop(connection, APUS_ETIMEDOUT);
    }
}

/* Who is at the other end of a connection, where that may be a proxy: whom the PROXY protocol names, and whom the
 * fields that proxies add. Nobody's word counts but that of addresses which the configuration trusts. */
#include "server/request.h"

#include <stdio.h>

#include "apus/alloc.h"
#include "apus/proxy.h"
#include "server/listener.h"

static bool are_proxies_trusted(const apus_listener_config *config)
{
    return config->trusted_count != 0 || config->trusts_unix || config->proxy_protocol != APUS_PROXY_PROTOCOL_OFF;
}

static bool is_trusted(const apus_listener_config *config, const apus_ip *ip)
{
    return apus_ip_is_in(ip, config->trusted, config->trusted_count);
}

static void set_address(apus_address *out, const apus_ip *ip, uint16_t port)
{
    *out = (apus_address){.port = port};
    apus_ip_write(ip, out->host);
}

int apus__peer_place(apus_connection *connection)
{
    apus_request *request = connection->request;
    const apus_listener_config *config = apus__listener_of(connection)->config;
    request->is_placed = true;
    if (!are_proxies_trusted(config))
        return APUS_OK;
    apus_peer *peer = apus_calloc(1, sizeof *peer);
    if (peer == NULL)
        return APUS_ENOMEM;
    request->peer = peer;
    apus_ip ip;
    if (apus_socket_peer(connection->stream.fd, &peer->address) == APUS_OK)
        peer->is_trusted = peer->address.is_unix
                               ? config->trusts_unix
                               : apus_socket_peer_ip(connection->stream.fd, &ip) == APUS_OK && is_trusted(config, &ip);
    peer->awaits_header = config->proxy_protocol == APUS_PROXY_PROTOCOL_REQUIRED;
    return peer->is_trusted || !peer->awaits_header ? APUS_OK : APUS_EPROXY;
}

ptrdiff_t apus__peer_read_header(apus_connection *connection, const uint8_t *data, size_t len)
{
    const apus_listener_config *config = apus__listener_of(connection)->config;
    apus_peer *peer = connection->request->peer;
    apus_proxy_header header;
    ptrdiff_t size = apus_proxy_read(&header, data, len);
    if (size <= 0)
        return size;
    peer->awaits_header = false;
    switch (header.kind) {
    case APUS_PROXY_LOCAL:
        break;
    case APUS_PROXY_UNKNOWN: /* what the fields say may be the client's own words */
        peer->is_trusted = false;
        break;
    case APUS_PROXY_IP:
        set_address(&peer->address, &header.source, header.source_port);
        peer->is_trusted = is_trusted(config, &header.source);
        break;
    case APUS_PROXY_UNIX:
        peer->address = (apus_address){.is_unix = true};
        snprintf(peer->address.host, sizeof peer->address.host, "%.*s", (int)header.source_path.len,
                 header.source_path.data);
        peer->is_trusted = config->trusts_unix;
        break;
    }
    return size;
}

int apus__peer_read_fields(apus_connection *connection, const apus_head *head, apus_forwarded *out)
{
    apus_peer *peer = connection->request->peer;
    const apus_listener_config *config = apus__listener_of(connection)->config;
    bool is_believed = peer != NULL && peer->is_trusted;
    int error = apus_forwarded_read(out, head, is_believed ? config->forwarding : APUS_FORWARDING_NONE, config->trusted,
                                    config->trusted_count);
    if (error != APUS_OK || peer == NULL)
        return error;
    peer->has_client = out->has_client;
    if (out->has_client)
        set_address(&peer->client, &out->client, out->port);
    return APUS_OK;
}

int apus_connection_peer(const apus_connection *connection, apus_address *out)
{
    const apus_peer *peer = connection->request != NULL ? connection->request->peer : NULL;
    if (peer == NULL)
        return apus_socket_peer(connection->stream.fd, out);
    *out = peer->has_client ? peer->client : peer->address;
    return APUS_OK;
}

const apus_forwarded *apus_connection_forwarded(const apus_connection *connection)
{
    const apus_peer *peer = connection->request != NULL ? connection->request->peer : NULL;
    return peer != NULL ? peer->forwarded : NULL;
}

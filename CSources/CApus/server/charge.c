/* Adds up what stands in a connection, its session and its stream. */
#include "server/charge.h"

#include "server/connection.h"

size_t apus__connection_charge(const apus_connection *connection)
{
    size_t inbound = connection->waiting_bytes + connection->session.message.payload.capacity;
    if (connection->rest != NULL)
        inbound += connection->rest->bytes.capacity;
    if (connection->request != NULL)
        inbound += connection->request->bytes.capacity;
    if (connection->taken != NULL)
        inbound += connection->taken->len;
    return inbound + apus__stream_charge(&connection->stream);
}

uint64_t apus__connection_acknowledged(const apus_connection *connection)
{
    return apus__stream_taken(&connection->stream);
}

bool apus__connection_is_outstanding(const apus_connection *connection)
{
    return apus__stream_is_outstanding(&connection->stream);
}

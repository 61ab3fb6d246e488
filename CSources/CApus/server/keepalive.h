/* Whether the peer of an open connection is still there, and how long the connection may live. */
#ifndef APUS_SERVER_KEEPALIVE_H
#define APUS_SERVER_KEEPALIVE_H

#include "server/connection.h"

/* The opening handshake is done: from now on silence and age are watched. */
void apus__keepalive_begin(apus_connection *connection);

/* The timer of an open connection has fired. */
void apus__keepalive_check(apus_connection *connection);

/* A Pong has come. While a Ping of ours is unanswered, only its own payload answers it; else a Pong is the heartbeat
 * that RFC 6455 §5.5.3 allows. */
void apus__keepalive_pong(apus_connection *connection, const uint8_t *data, size_t len);

/* The application sends a Ping with a payload of its own, whose Pong is as good as ours. */
void apus__keepalive_application_pings(apus_connection *connection);

/* Answers a Ping. While the peer takes nothing, only the last Ping is answered (RFC 6455 §5.5.3), so that Pings take no
 * memory. */
void apus__keepalive_answer(apus_connection *connection, const apus_event *ping);

#endif

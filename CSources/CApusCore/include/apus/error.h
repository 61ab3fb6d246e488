/* One table of everything that can go wrong: the name, the number, what the peer is told, and the words. */
#ifndef APUS_ERROR_H
#define APUS_ERROR_H

#include <stdint.h>

#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

/* X(name, number, code, words). `code` is what goes to the peer: a WebSocket close code (1000 and
 * above, RFC 6455 §7.4) or an HTTP status (below 1000), 0 where the peer is told nothing. */
#define APUS_ERROR_MAP(X)                                                            \
    X(EPROTO, -1, 1002, "the peer broke the framing rules")                          \
    X(EUTF8, -2, 1007, "a text message or close reason is not UTF-8")                \
    X(ETOOBIG, -3, 1009, "a message passes the size limit")                          \
    X(EFRAGMENTS, -4, 1009, "a message has more fragments than the limit")           \
    X(ENOMEM, -5, 1011, "out of memory")                                             \
    X(EINFLATE, -6, 1007, "a compressed message does not inflate")                   \
    X(EHEAD, -10, 400, "the request head is malformed")                              \
    X(EHEADSIZE, -11, 431, "the request head passes the size limit")                 \
    X(EHEADCOUNT, -12, 431, "the request head has more fields than the limit")       \
    X(EHTTPVERSION, -13, 505, "the HTTP version is not 1.0 or 1.1")                  \
    X(EHOST, -14, 400, "an HTTP/1.1 request needs exactly one valid Host field")     \
    X(EBODY, -15, 413, "an opening handshake has no content")                        \
    X(ECHUNK, -16, 400, "the chunked content is malformed")                          \
    X(EBODYSIZE, -17, 413, "the content passes the size limit")                      \
    X(ECODING, -18, 501, "the only transfer coding known here is chunked")           \
    X(EEXPECT, -19, 417, "the only expectation met here is 100-continue")            \
    X(EMETHOD, -20, 405, "an opening handshake must be a GET")                       \
    X(EHANDSHAKE, -21, 400, "the opening handshake is malformed")                    \
    X(EKEY, -22, 400, "Sec-WebSocket-Key is not 16 bytes in base64")                 \
    X(EVERSION, -23, 426, "Sec-WebSocket-Version is not 13")                         \
    X(EORIGIN, -24, 403, "the request comes from a page of another origin")          \
    X(EFIELD, -25, 500, "a field name or value cannot stand in a head")              \
    X(EPROXY, -26, 0, "the header of the PROXY protocol is missing or malformed")    \
    X(EFORWARDED, -27, 400, "the fields that proxies add are malformed")             \
    X(EBODYTIME, -28, 408, "the content took too long")                              \
    X(EEXTENSION, -29, 0, "the server accepted extensions that were not offered")    \
    X(ETIMEDOUT, -30, 408, "the opening handshake took too long")                    \
    X(EUPGRADETIME, -31, 504, "the server took too long to decide on the upgrade")   \
    X(ETOOMANY, -32, 503, "there are as many connections as allowed")                \
    X(EFULL, -40, 0, "the outbound queue is full; the sender has to wait")           \
    X(ECLOSED, -41, 0, "the connection is closed")                                   \
    X(ESLOW, -42, 1013, "the peer reads too slowly")                                 \
    X(ESILENT, -43, 1011, "the peer answers no ping")                                \
    X(ELOST, -44, 0, "the stream ended without a closing handshake")                 \
    X(EINVAL, -45, 0, "an argument is out of its range")                             \
    X(EDROPPED, -46, 0, "the outbound queue is full; the message was dropped")       \
    X(EBUDGET, -49, 1013, "the server's memory is used up: this peer held the most") \
    X(ERESPONSE, -60, 0, "the answer is no HTTP response, or passes a limit")        \
    X(ESTATUS, -61, 0, "the server refused the opening handshake")                   \
    X(EUPGRADE, -62, 0, "the answer does not upgrade to websocket")                  \
    X(EACCEPT, -63, 0, "Sec-WebSocket-Accept does not answer the key")               \
    X(ESUBPROTOCOL, -64, 0, "the server chose a subprotocol not offered")            \
    X(ETUNNEL, -66, 0, "the proxy refused to connect to the server")                 \
    X(ERESOLVE, -67, 0, "the host name has no address")                              \
    X(ECONNECT, -68, 0, "no address of the host takes the connection")               \
    X(ETLS, -80, 0, "TLS failed: in the handshake, or by a broken record")           \
    X(ETLSPLAIN, -81, 400, "this port speaks TLS: use https:// or wss://")           \
    X(ENOTTLS, -82, 0, "the server does not speak TLS on this port")                 \
    X(EUNTRUSTED, -83, 0, "no trusted root has signed the peer's certificate")       \
    X(EWRONGHOST, -84, 0, "the server's certificate is for another host")            \
    X(EEXPIRED, -85, 0, "the peer's certificate is valid no more, or not yet")       \
    X(ECERTIFICATE, -86, 0, "the peer's certificate is not valid")                   \
    X(ENOCERTIFICATE, -87, 0, "the peer has shown no certificate")                   \
    X(EALERT, -88, 0, "the peer ended TLS with an alert")                            \
    X(ETRUNCATED, -89, 0, "the stream ended without TLS's close_notify")             \
    X(ECHAIN, -90, 0, "there is no usable certificate in PEM form")                  \
    X(EPRIVATEKEY, -91, 0, "the private key is not PEM, or it is encrypted")         \
    X(EKEYMISMATCH, -92, 0, "the private key is not that of the certificate")        \
    X(EROOTS, -93, 0, "the trusted roots are no certificates in PEM form")

typedef enum apus_error {
    APUS_OK = 0,
#define X(name, number, code, words) APUS_##name = number,
    APUS_ERROR_MAP(X)
#undef X
} apus_error;

/* The table's words for `error`; never NULL. */
const char *apus_error_message(int error);

/* The table's name for `error`, such as "EPROTO"; never NULL. */
const char *apus_error_name(int error);

/* The close code or HTTP status for `error`; 0 where the peer is told nothing. */
uint16_t apus_error_code(int error);

APUS_ASSUME_NONNULL_END

#endif

#include <errno.h>
#include <sys/socket.h>

#include "load/connection.h"

static ssize_t tls_result(SSL *ssl, int result)
{
    if (result > 0)
        return result;
    int error = SSL_get_error(ssl, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

ssize_t load_transport_read(load_connection *connection, uint8_t *data, size_t len)
{
    if (connection->ssl != NULL)
        return tls_result(connection->ssl, SSL_read(connection->ssl, data, (int)len));
    ssize_t count = recv(connection->fd, data, len, 0);
    if (count > 0)
        return count;
    return count < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

ssize_t load_transport_write(load_connection *connection, const uint8_t *data, size_t len)
{
    if (connection->ssl != NULL)
        return tls_result(connection->ssl, SSL_write(connection->ssl, data, len > INT32_MAX ? INT32_MAX : (int)len));
    ssize_t count = send(connection->fd, data, len, MSG_NOSIGNAL);
    if (count >= 0)
        return count;
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

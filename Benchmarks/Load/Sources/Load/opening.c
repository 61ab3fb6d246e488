#include "load/opening.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

static void make_key(load_run *run, char key[25])
{
    uint8_t bytes[16];
    for (size_t i = 0; i < sizeof bytes; i++) {
        run->seed = run->seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        bytes[i] = (uint8_t)(run->seed >> 56);
    }
    EVP_EncodeBlock((unsigned char *)key, bytes, sizeof bytes);
}

void load_opening_accept(const char *key, char accept[29])
{
    char text[64];
    unsigned char digest[EVP_MAX_MD_SIZE];
    int len = snprintf(text, sizeof text, "%s" GUID, key);
    EVP_Digest(text, (size_t)len, digest, NULL, EVP_sha1(), NULL);
    EVP_EncodeBlock((unsigned char *)accept, digest, 20);
}

static int write_request(const load_options *options, const char *key, char *out, size_t capacity)
{
    bool is_v6 = strchr(options->host, ':') != NULL;
    int len = snprintf(out, capacity,
                       "GET %s HTTP/1.1\r\nHost: %s%s%s:%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n%s",
                       options->path, is_v6 ? "[" : "", options->host, is_v6 ? "]" : "", options->port, key,
                       options->is_deflate ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
    for (size_t i = 0; i < options->header_count; i++)
        len += snprintf(out == NULL ? NULL : out + len, out == NULL ? 0 : capacity - (size_t)len, "%s\r\n",
                        options->headers[i]);
    return len + snprintf(out == NULL ? NULL : out + len, out == NULL ? 0 : capacity - (size_t)len, "\r\n");
}

load_opening *load_opening_new(load_run *run)
{
    load_opening *opening = malloc(sizeof *opening);
    if (opening == NULL)
        return NULL;
    opening->request_sent = opening->head_len = 0;
    opening->has_joined = false;
    make_key(run, opening->key);
    opening->request_len = (size_t)write_request(run->options, opening->key, NULL, 0);
    opening->request = malloc(opening->request_len + 1);
    if (opening->request == NULL) {
        free(opening);
        return NULL;
    }
    write_request(run->options, opening->key, opening->request, opening->request_len + 1);
    return opening;
}

void load_opening_free(load_opening *opening)
{
    if (opening == NULL)
        return;
    free(opening->request);
    free(opening);
}

size_t load_opening_head_len(const load_opening *opening)
{
    const char *end = memmem(opening->head, opening->head_len, "\r\n\r\n", 4);
    return end == NULL ? 0 : (size_t)(end + 4 - opening->head);
}

size_t load_opening_frames_end(const load_opening *opening, size_t head_len, size_t count)
{
    const uint8_t *data = (const uint8_t *)opening->head;
    size_t end = head_len;
    for (; count > 0; count--) {
        if (opening->head_len < end + 4)
            return 0;
        bool is_long = data[end + 1] == 126;
        size_t len = is_long ? (size_t)data[end + 2] << 8 | data[end + 3] : data[end + 1];
        end += (is_long ? 4 : 2) + len;
        if (len > 126 * 256 || opening->head_len < end)
            return 0;
    }
    return end;
}

/* Copies a header's value; false where the head has none of that name. */
static bool find_header(const char *head, const char *name, char *value, size_t capacity)
{
    size_t name_len = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
            continue;
        const char *start = line + name_len + 1;
        start += strspn(start, " \t");
        size_t len = strcspn(start, "\r");
        while (len > 0 && (start[len - 1] == ' ' || start[len - 1] == '\t'))
            len--;
        snprintf(value, capacity, "%.*s", (int)len, start);
        return true;
    }
    return false;
}

bool load_opening_check(load_opening *opening, const load_options *options, load_accepted *accepted,
                        char error[LOAD_ERROR_SIZE])
{
    char value[512], accept[29];
    char *head = opening->head;
    head[load_opening_head_len(opening) - 2] = '\0'; /* keeps the last line's end */
    *accepted = (load_accepted){0};
    if (strncmp(head, "HTTP/1.1 101", 12) != 0) {
        snprintf(error, LOAD_ERROR_SIZE, "the server refused the handshake: %.*s", (int)strcspn(head, "\r"), head);
        return false;
    }
    load_opening_accept(opening->key, accept);
    if (!find_header(head, "Sec-WebSocket-Accept", value, sizeof value) || strcmp(value, accept) != 0) {
        snprintf(error, LOAD_ERROR_SIZE, "the server's Sec-WebSocket-Accept is missing or wrong");
        return false;
    }
    accepted->is_deflate = find_header(head, "Sec-WebSocket-Extensions", value, sizeof value) &&
                           strncasecmp(value, "permessage-deflate", 18) == 0;
    accepted->is_resetting = accepted->is_deflate && strstr(value, "server_no_context_takeover") != NULL;
    if (accepted->is_deflate != options->is_deflate) {
        snprintf(error, LOAD_ERROR_SIZE, "the server %s permessage-deflate",
                 options->is_deflate ? "did not accept" : "was not offered, but chose");
        return false;
    }
    return true;
}

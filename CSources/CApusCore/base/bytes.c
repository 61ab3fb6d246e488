/* Growth is by doubling, so that appending stays linear. */
#include "apus/bytes.h"

#include <string.h>

#include "apus/alloc.h"
#include "apus/error.h"

#define SMALLEST_CAPACITY 64

void apus_bytes_init(apus_bytes *bytes)
{
    *bytes = (apus_bytes){0};
}

void apus_bytes_deinit(apus_bytes *bytes)
{
    apus_free(bytes->data);
    *bytes = (apus_bytes){0};
}

int apus_bytes_reserve(apus_bytes *bytes, size_t more)
{
    if (more <= bytes->capacity - bytes->len)
        return APUS_OK;
    if (more > SIZE_MAX / 2 - bytes->len)
        return APUS_ENOMEM;
    size_t capacity = bytes->capacity * 2;
    if (capacity < SMALLEST_CAPACITY)
        capacity = SMALLEST_CAPACITY;
    if (capacity < bytes->len + more)
        capacity = bytes->len + more;
    uint8_t *data = apus_realloc(bytes->data, capacity);
    if (data == NULL)
        return APUS_ENOMEM;
    bytes->data = data;
    bytes->capacity = capacity;
    return APUS_OK;
}

int apus_bytes_append(apus_bytes *bytes, const void *data, size_t len)
{
    if (len == 0)
        return APUS_OK;
    int error = apus_bytes_reserve(bytes, len);
    if (error != APUS_OK)
        return error;
    memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
    return APUS_OK;
}

int apus_bytes_append_text(apus_bytes *bytes, const char *text)
{
    return apus_bytes_append(bytes, text, strlen(text));
}

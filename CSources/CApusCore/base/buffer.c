/* A counted buffer is one allocation: the count, the length, the bytes. */
#include "apus/buffer.h"

#include "apus/alloc.h"

apus_buffer *apus_buffer_new(size_t len)
{
    if (len > SIZE_MAX - sizeof(apus_buffer))
        return NULL;
    apus_buffer *buffer = apus_malloc(sizeof *buffer + len);
    if (buffer == NULL)
        return NULL;
    buffer->references = 1;
    buffer->len = len;
    return buffer;
}

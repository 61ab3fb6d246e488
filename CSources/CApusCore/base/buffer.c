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

apus_buffer *apus_buffer_retain(apus_buffer *buffer)
{
    __atomic_fetch_add(&buffer->references, 1, __ATOMIC_RELAXED);
    return buffer;
}

void apus_buffer_release(apus_buffer *buffer)
{
    /* Acquire-release: whoever frees must see what the other holders wrote and read. */
    if (buffer != NULL && __atomic_fetch_sub(&buffer->references, 1, __ATOMIC_ACQ_REL) == 1)
        apus_free(buffer);
}

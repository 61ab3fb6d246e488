/* Each call to the socket sets the peer to work, so eight calls for a message of 1 MiB cost a quarter more than one. */
#include "server/fragments.h"

#include "net/stream.h"

/* Frames in one call: 2 MiB. */
#define MOST_OFFERED 16

apus__fragment apus__fragments_next(apus__fragments *rest)
{
    bool is_last = rest->len <= APUS_FRAGMENT_SIZE;
    apus__fragment fragment = {
        .opcode = rest->opcode,
        .rsv1 = rest->rsv1,
        .fin = is_last && rest->fin,
        .data = rest->data,
        .len = is_last ? rest->len : APUS_FRAGMENT_SIZE,
    };
    rest->opcode = APUS_OPCODE_CONTINUATION;
    rest->rsv1 = false;
    rest->len -= fragment.len;
    if (fragment.len != 0)
        rest->data += fragment.len;
    return fragment;
}

size_t apus__fragment_encode(const apus__fragment *fragment, uint8_t out[APUS_FRAME_HEADER_SIZE])
{
    size_t size = apus_frame_encode(out, fragment->opcode, fragment->fin, fragment->len);
    if (fragment->rsv1)
        out[0] |= APUS_FRAME_RSV1;
    return size;
}

size_t apus__fragment_size(const apus__fragment *fragment)
{
    uint8_t header[APUS_FRAME_HEADER_SIZE];
    return apus__fragment_encode(fragment, header) + fragment->len;
}

size_t apus__fragments_offer(const apus__fragments *rest, apus_stream *stream)
{
    uint8_t headers[MOST_OFFERED][APUS_FRAME_HEADER_SIZE];
    struct iovec pieces[2 * MOST_OFFERED];
    apus__fragments left = *rest;
    int count = 0;
    for (int i = 0; i < MOST_OFFERED && left.len != 0; i++) {
        apus__fragment fragment = apus__fragments_next(&left);
        size_t header_len = apus__fragment_encode(&fragment, headers[i]);
        pieces[count++] = (struct iovec){.iov_base = headers[i], .iov_len = header_len};
        pieces[count++] = (struct iovec){.iov_base = (void *)(uintptr_t)fragment.data, .iov_len = fragment.len};
    }
    return apus__stream_offer(stream, pieces, count);
}

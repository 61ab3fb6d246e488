/* What zlib is given before it compresses or inflates. */
#ifndef APUS_WIRE_ZLIB_STREAM_H
#define APUS_WIRE_ZLIB_STREAM_H

#include <zlib.h>

#include "wire/clip.h"

/* A stream that is not initialized yet, whose memory will pass through apus/alloc.h. */
extern const z_stream apus__zlib_start;

#endif

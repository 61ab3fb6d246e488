/* The libuv loop under a loop, for tests. */
#ifndef APUS_NET_UV_LOOP_H
#define APUS_NET_UV_LOOP_H

#include <uv.h>

#include "apus/loop.h"

uv_loop_t *apus__loop_uv(apus_loop *loop);

#endif

/* Everything the core offers: bytes in, bytes out; no system call, no thread, no clock. */
#ifndef APUS_CORE_H
#define APUS_CORE_H

#include "apus/alloc.h"
#include "apus/base64.h"
#include "apus/buffer.h"
#include "apus/bytes.h"
#include "apus/chunked.h"
#include "apus/close.h"
#include "apus/compression.h"
#include "apus/copy.h"
#include "apus/deflate.h"
#include "apus/error.h"
#include "apus/extension.h"
#include "apus/forwarded.h"
#include "apus/frame.h"
#include "apus/handshake.h"
#include "apus/handshake_client.h"
#include "apus/head.h"
#include "apus/ip.h"
#include "apus/mask.h"
#include "apus/message.h"
#include "apus/proxy.h"
#include "apus/queue.h"
#include "apus/response_head.h"
#include "apus/session.h"
#include "apus/sha1.h"
#include "apus/simd.h"
#include "apus/tls.h"
#include "apus/tls_context.h"
#include "apus/utf8.h"

#endif
